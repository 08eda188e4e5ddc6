// The rule builder: the save dialog and the mode links take the rule as it stands now; a failed count says so.
(() => {
  "use strict";
  const panel = document.getElementById("panel");
  document.body.addEventListener("htmx:afterSettle", () => {
    const rule = panel?.querySelector("[data-rule]")?.dataset.rule ?? panel?.querySelector("input[name=rule]")?.value;
    if (rule === undefined) return;
    document.querySelectorAll("form[data-takes-rule] input[name=rule]").forEach((input) => { input.value = rule; });
    document.querySelectorAll("a[data-mode]").forEach((link) => {
      const query = new URLSearchParams({ rule, ...(link.dataset.mode === "text" ? { mode: "text" } : {}) });
      link.href = `${link.pathname}?${query}`;
    });
  });
})();
