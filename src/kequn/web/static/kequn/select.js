// Long <select>s with data-select become searchable (Tom Select); also those that htmx brings in later.
(() => {
  "use strict";
  const enhance = (root) => root.querySelectorAll("select[data-select]:not(.tomselected)").forEach((select) => {
    new TomSelect(select, { maxOptions: 500, plugins: select.multiple ? ["remove_button"] : [], hidePlaceholder: true });
  });
  document.body.addEventListener("htmx:afterSettle", (event) => enhance(event.target));
  enhance(document);
})();
