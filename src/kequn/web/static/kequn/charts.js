// Draws every [data-chart] from the JSON beside it; table view, CSV and PNG. See kequn/web/ui/charts.py for the contract.
(() => {
  "use strict";
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawn = new Map();

  const units = { zh: [[1e8, " 亿", 2], [1e4, " 万", 1]], en: [[1e9, " B", 2], [1e6, " M", 1], [1e3, " K", 1]] };
  function compact(value, language) {
    const size = Math.abs(value);
    for (const [unit, name, places] of units[language]) {
      if (size >= Math.max(unit, 1e4)) return (value / unit).toLocaleString("en", { maximumFractionDigits: places }) + name;
    }
    return value.toLocaleString("en", { maximumFractionDigits: size < 100 ? 2 : 0 });
  }
  function write(kind, value, language) {
    if (Array.isArray(value)) value = value[value.length - 1];
    if (value === null || value === undefined || value === "-" || Number.isNaN(value)) return "–";
    if (typeof value !== "number") return String(value);
    if (kind === "percent") return (value * 100).toLocaleString("en", { maximumFractionDigits: 1 }) + "%";
    if (kind === "compact" || kind === "money") return compact(value, language);
    return value.toLocaleString("en", { maximumFractionDigits: 2 });
  }
  const writers = {
    cell: (spec, language) => (item) => write(spec.kind === "number" ? "compact" : spec.kind, item.value, language),
    side: () => (item) => item.name.slice(1),
    said: () => (item) => item.data.said ?? item.name,
  };
  // colours by token, numbers by language
  function fill(value, language) {
    if (typeof value === "string") return value.startsWith("--k-") ? token(value) : value;
    if (Array.isArray(value)) return value.map((item) => fill(item, language));
    if (value && typeof value === "object") {
      if (value.$format) return writers[value.$format]?.(value, language) ?? ((item) => write(value.$format, item?.value ?? item, language));
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, language)]));
    }
    return value;
  }
  function base() {
    const [ink, muted, line] = ["--k-ink", "--k-ink-3", "--k-line"].map(token);
    const axis = {
      axisLine: { lineStyle: { color: line } }, axisLabel: { color: muted, fontSize: 12 }, nameTextStyle: { color: muted },
      splitLine: { lineStyle: { color: line } },
    };
    return {
      color: [1, 2, 3, 4, 5, 6, 7, 8].map((index) => token(`--k-c${index}`)),
      textStyle: { fontFamily: token("--k-font"), color: ink },
      categoryAxis: { ...axis, splitLine: { show: false } }, valueAxis: { ...axis, axisLine: { show: false } },
      legend: { textStyle: { color: ink }, top: 0, left: 8, icon: "roundRect", itemWidth: 11, itemHeight: 11, itemGap: 14, pageTextStyle: { color: muted }, pageIconColor: muted },
      radar: { axisName: { color: muted }, splitLine: { lineStyle: { color: line } }, axisLine: { lineStyle: { color: line } }, splitArea: { show: false } },
    };
  }
  // a legend may need several rows; the plot starts below them
  function legendRows(option, width) {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${token("--k-font")}`;
    let rows = 1, used = 8;
    for (const { name } of option.series ?? []) {
      const item = 11 + 5 + pen.measureText(name ?? "").width + 14;
      if (used + item > width - 8) { rows += 1; used = 8; }
      used += item;
    }
    return rows;
  }
  // what a narrow card has no room for: numbers in cells too small for them (the table has them), a wide pyramid
  function narrow(option, width) {
    for (const series of option.series ?? []) {
      const columns = option.xAxis?.data?.length ?? 1;
      const room = (width - 110) / columns;
      if (series.type === "heatmap" && room < 34) series.label.show = false;
      else if (series.type === "heatmap" && room < 52) series.label.fontSize = 10;
      if (series.type === "funnel" && width < 460) { series.width = "30%"; series.left = "1%"; series.label.fontSize = 11; series.labelLine.length = 6; }
    }
  }
  function draw(card) {
    const canvas = card.querySelector("[data-chart-canvas]");
    const source = card.querySelector("script[type='application/json']");
    if (!canvas || !source) return;
    const { option, links, language } = JSON.parse(source.textContent);
    drawn.get(card)?.dispose();
    const chart = echarts.init(canvas, base(), { renderer: "canvas", locale: language === "zh" ? "ZH" : "EN" });
    const ready = fill(option, language);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const legend = ready.legend?.show && ready.legend.bottom === undefined ? legendRows(ready, canvas.clientWidth) : 0;
    const ink = token("--k-ink");
    for (const series of ready.series ?? []) if (series.type !== "heatmap") series.label = { color: ink, ...series.label };
    narrow(ready, canvas.clientWidth);
    chart.setOption({
      animation: !still, animationDuration: 300,
      ...ready,
      visualMap: ready.visualMap && { textStyle: { color: token("--k-ink-3") }, ...ready.visualMap },
      grid: { left: 12, right: 20, top: legend ? 16 + 24 * legend : 18, bottom: ready.xAxis?.name ? 34 : 10, containLabel: true, ...ready.grid },
      // rich text, because the HTML tooltip of ECharts needs inline styles, which our CSP refuses
      tooltip: { renderMode: "richText", confine: true, backgroundColor: token("--k-surface"), borderColor: token("--k-line-strong"), textStyle: { color: ink, fontSize: 12 }, ...ready.tooltip },
    });
    chart.on("click", (item) => { const to = links[item.name] ?? links[item.seriesName]; if (to) location.assign(to); });
    drawn.set(card, chart);
  }
  function drawAll(root = document) {
    for (const [card, chart] of drawn) if (!card.isConnected) { chart.dispose(); drawn.delete(card); }
    root.querySelectorAll("[data-chart]").forEach((card) => { if (root === document || !drawn.has(card)) draw(card); });
  }
  function save(name, href) {
    const link = document.createElement("a");
    link.download = name;
    link.href = href;
    link.click();
  }
  // a cell that a spreadsheet would run as a formula gets an apostrophe
  const cell = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+$/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  function csv(card) {
    const rows = [...card.querySelectorAll("[data-chart-rows] tr")].map((row) =>
      [...row.cells].map((item) => cell(item.dataset.raw ?? item.textContent)).join(","));
    const file = URL.createObjectURL(new Blob(["\ufeff" + rows.join("\r\n") + "\r\n"], { type: "text/csv" }));
    save(`${card.id}.csv`, file);
    setTimeout(() => URL.revokeObjectURL(file), 1000);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-chart-table], [data-chart-csv], [data-chart-png]");
    const card = button?.closest("[data-chart]");
    if (!card) return;
    if (button.matches("[data-chart-csv]")) csv(card);
    if (button.matches("[data-chart-png]")) save(`${card.id}.png`, drawn.get(card).getDataURL({ pixelRatio: 2, backgroundColor: token("--k-surface") }));
    if (button.matches("[data-chart-table]")) {
      const table = card.querySelector("[data-chart-rows]");
      table.hidden = !table.hidden;
      card.querySelector("[data-chart-canvas]").hidden = !table.hidden;
      button.setAttribute("aria-pressed", String(!table.hidden));
      if (table.hidden) drawn.get(card)?.resize();
    }
  });
  new ResizeObserver(() => drawn.forEach((chart) => chart.resize())).observe(document.body);
  document.documentElement.addEventListener("kequn:theme", () => drawAll());
  document.body.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
  drawAll();
})();
