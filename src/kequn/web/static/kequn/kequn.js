// The shell: drawer, search key, menus, dialogs, toasts, copying, confirmations, htmx settings. No inline code anywhere.
(() => {
  "use strict";
  const body = document.body;
  const find = (selector, root = document) => root.querySelector(selector);

  // a request that a newer one replaces (hx-sync), or that ends because the page is left, is no error; htmx would write it to
  // the console, and every failure twice: what really failed has a name of its own (sendError, timeout)
  const quiet = new Set(["htmx:sendAbort", "htmx:afterRequest"]);
  if (window.htmx) htmx.logger = (_element, name, detail) => { if (quiet.has(name)) delete detail.error; };

  // every htmx request carries the CSRF token; failures become a toast
  body.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = find("meta[name=csrf]")?.content ?? "";
  });
  body.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    toast(status === 403 ? body.dataset.sayDenied : status === 401 ? body.dataset.saySignin : body.dataset.sayError, "error");
  });
  body.addEventListener("htmx:sendError", () => toast(body.dataset.sayOffline, "error"));
  body.addEventListener("htmx:beforeSwap", (event) => {
    // a session that ended answers a fragment with the sign-in page: go there instead of nesting it
    if (event.detail.xhr.responseURL.includes("/login/") && !location.pathname.startsWith("/login/")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });
  body.addEventListener("htmx:afterSettle", (event) => find("[data-focus]", event.target)?.focus());
  body.addEventListener("kequn:toast", (event) => toast(event.detail.value ?? event.detail.text, event.detail.level));

  function toast(text, level = "success") {
    const box = document.createElement("div");
    box.className = `k-toast k-toast-${level}`;
    const words = document.createElement("span");
    words.textContent = text;
    box.append(words);
    find("#toasts")?.append(box);
    leave(box);
  }
  const leave = (box) => setTimeout(() => box.remove(), box.classList.contains("k-toast-error") ? 12000 : 6000);
  document.querySelectorAll("[data-toast]").forEach(leave);

  // the drawer on narrow screens: focus goes in, Escape and the scrim bring it back
  const opener = find("[data-drawer-open]");
  const narrow = matchMedia("(max-width: 900px)");
  function drawer(open) {
    body.classList.toggle("k-drawer", open);
    opener?.setAttribute("aria-expanded", String(open));
    const main = find(".k-main");
    if (main) main.inert = open && narrow.matches;
    if (open) setTimeout(() => find(".k-side-close")?.focus(), 60);
    else if (narrow.matches) opener?.focus();
  }
  narrow.addEventListener("change", () => body.classList.contains("k-drawer") && drawer(false));

  document.addEventListener("click", async (event) => {
    const at = (selector) => event.target.closest(selector);
    if (at("[data-drawer-open]")) drawer(true);
    if (at("[data-drawer-close]")) drawer(false);
    at("[data-toast-close]")?.closest(".k-toast").remove();
    const opens = at("[data-dialog]");
    if (opens) find(`#${CSS.escape(opens.dataset.dialog)}`)?.showModal();
    if (at("[data-dialog-close]")) at("dialog").close();
    if (event.target.tagName === "DIALOG") event.target.close(); // the backdrop
    const copies = at("[data-copy]");
    if (copies) {
      const source = find(`#${CSS.escape(copies.dataset.copy)}`);
      try { await navigator.clipboard.writeText(source.value ?? source.textContent); toast(body.dataset.sayCopied); } catch { source.select?.(); }
    }
    document.querySelectorAll("details.k-menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
    if (!at(".k-search")) closeHits();
  });

  // a form with data-confirm asks first; a form is sent once however often the button is pressed
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (question && !confirm(question)) { event.preventDefault(); return; }
    if (form.method === "dialog" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000); // a download leaves the page where it is
  });
  document.addEventListener("change", (event) => event.target.closest("[data-autosubmit]")?.form?.requestSubmit());

  // the search box: "/" from anywhere, arrows to walk the hits
  const search = find("#search");
  const hits = () => [...document.querySelectorAll("#hits a")];
  function closeHits() { const box = find("#hits"); if (box) box.replaceChildren(); }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && search) { event.preventDefault(); search.focus(); search.select(); }
    if (event.key === "Escape") {
      if (body.classList.contains("k-drawer")) drawer(false);
      document.querySelectorAll("details.k-menu[open]").forEach((menu) => { menu.open = false; find("summary", menu).focus(); });
      if (event.target.closest?.(".k-search")) { closeHits(); search.focus(); }
    }
    if (event.target.closest?.(".k-search") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const all = [search, ...hits()];
      const next = all[all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next) { event.preventDefault(); next.focus(); }
    }
    if (event.target === search && event.key === "Enter" && hits()[0]) hits()[0].click();
  });
})();
