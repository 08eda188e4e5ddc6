// The rule builder. While the server rebuilds the tree it takes no input, so that nothing typed is lost in the swap; the save
// dialog and the mode links take the rule as it stands now, and saving waits for the answer to what was typed last.
(() => {
  "use strict";
  const tree = document.getElementById("tree");
  const panel = document.getElementById("panel");
  const form = document.getElementById("rule-form");
  let stale = false; // the panel doesn't know yet what the form says
  let waiting = null; // a save that was asked for meanwhile

  form?.addEventListener("input", () => { stale = true; });
  document.body.addEventListener("htmx:beforeSend", (event) => {
    if (event.detail.target === tree) tree.inert = true;
    if (event.detail.elt === form) stale = false;
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.target === tree) { tree.inert = false; stale = true; }
    if (event.detail.elt === form && event.detail.failed) lost();
  });
  document.body.addEventListener("htmx:sendError", (event) => { if (event.detail.elt === form) lost(); });
  function lost() { stale = true; waiting = null; }

  function rule() {
    const counted = panel?.querySelector("[data-rule]")?.dataset.rule ?? panel?.querySelector("input[name=rule]")?.value;
    return counted ?? (panel?.querySelector(".k-loading") ? undefined : document.getElementById("rule-text")?.value ?? "");
  }
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const text = rule();
    if (text === undefined) return;
    document.querySelectorAll("form[data-takes-rule] input[name=rule]").forEach((input) => { input.value = text; });
    document.querySelectorAll("a[data-mode]").forEach((link) => {
      const query = new URLSearchParams({ rule: text, ...(link.dataset.mode === "text" ? { mode: "text" } : {}) });
      link.href = `${link.pathname}?${query}`;
    });
    if (waiting && !stale && event.detail.target === panel) {
      const [saved, by] = waiting;
      waiting = null;
      saved.requestSubmit(by);
    }
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-takes-rule]") || !(stale || tree?.inert)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting = [event.target, event.submitter];
    if (!tree?.inert) document.body.dispatchEvent(new Event("rule-changed"));
  }, true);
})();
