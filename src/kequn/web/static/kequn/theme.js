// Runs before the first paint: light, dark, or as the system says; printing is always light.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const wanted = root.dataset.theme;
    root.dataset.bsTheme = wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
    root.dispatchEvent(new Event("kequn:theme"));
  };
  apply();
  // paper is white
  addEventListener("beforeprint", () => {
    root.dataset.bsTheme = "light";
    root.dispatchEvent(new Event("kequn:theme"));
  });
  addEventListener("afterprint", apply);
  system.addEventListener("change", apply);
})();
