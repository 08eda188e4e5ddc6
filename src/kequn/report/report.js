// Builds the report from the JSON in #content. Text goes in as text nodes only; numbers are worded per language.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("content").textContent);
  let lang = data.language;
  let drawings = [];

  // ---- words and numbers
  const word = (code, fields = {}) => {
    const found = data.words[lang][code] ?? code;
    return found.replace(/\{(\w+)\}/g, (whole, name) => (name in fields ? String(fields[name]) : whole));
  };
  const text = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? value[lang] : String(value));
  const UNITS = { zh: [[1e8, " 亿"], [1e4, " 万"]], en: [[1e9, "B"], [1e6, "M"], [1e4, "K", 1e3]] };
  const symbol = (() => {
    try {
      const parts = new Intl.NumberFormat("zh-CN", { style: "currency", currency: data.currency, currencyDisplay: "narrowSymbol" }).formatToParts(0);
      return parts.find((part) => part.type === "currency").value;
    } catch { return data.currency + " "; }
  })();
  const none = "–";
  const plain = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  function compact(value, small = 0) {
    const size = Math.abs(value);
    for (const [from, name, unit = from] of UNITS[lang]) {
      if (size >= from) return plain(value / unit, size >= unit * 1000 ? 0 : size >= unit * 100 ? 1 : 2).replace(/\.?0+$/, (zeros) => (zeros.startsWith(".") ? "" : zeros)) + name;
    }
    return plain(value, size && size < 100 ? small : 0);
  }
  const show = {
    count: (value) => (value ?? null) === null ? none : plain(value, 0),
    compact: (value) => (value ?? null) === null ? none : compact(value),
    money: (value) => (value ?? null) === null ? none : (value < 0 ? "−" : "") + symbol + compact(Math.abs(value), 2),
    percent: (value) => (value ?? null) === null ? none : plain(value * 100, value && Math.abs(value) < 0.001 ? 2 : 1) + "%",
    number: (value) => (value ?? null) === null ? none : plain(value, Number.isInteger(value) ? 0 : Math.abs(value) < 1 ? 2 : 1),
    measure: (value) => (value ?? null) === null ? none : plain(value, 3),
    text: (value) => text(value) || none,
  };

  // ---- elements
  function h(tag, options = {}, ...children) {
    const [name, ...classes] = tag.split(".");
    const made = document.createElement(name || "div");
    if (classes.length) made.className = classes.join(" ");
    for (const [key, value] of Object.entries(options)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "on") for (const [event, does] of Object.entries(value)) made.addEventListener(event, does);
      else if (key === "width") made.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  }
  const ICONS = {
    target: "M12 3v3m0 12v3m9-9h-3M6 12H3m14.5 0a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z",
    alert: "M12 9v4m0 3.5v.01M10.3 4.2 2.9 17a2 2 0 0 0 1.7 3h14.8a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0z",
    info: "M12 8.5v.01M11 12h1v4h1m8-4a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
    check: "M5 12.5l4.5 4.5L19 7.5",
    lock: "M7 11V8a5 5 0 0 1 10 0v3m-11 0h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z",
    table: "M4 5h16v14H4zM4 10h16M10 10v9",
    mark: "M5 19V11m5 8V5m5 14v-6m5 6V8",
  };
  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(key, value);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }
  const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
  const note = (words) => h("p.note", {}, words);
  const badge = (words, kind = "") => h(`span.badge${kind ? "." + kind : ""}`, {}, words);
  const gap = (words) => h("div.gap", {}, icon("info"), h("p", {}, text(words)));

  function card(title, sub, options, ...children) {
    return h(`section.card${options.span ? ".span-" + options.span : ""}${options.long ? ".long" : ""}`, {},
      h("header.card-head", {}, h("div", {}, h("h3", {}, title), sub ? h("p", {}, sub) : null), options.tools ?? null), h("div.card-body", {}, children));
  }
  // columns: {title, kind, value(row), class}; the first column is the row's header
  function table(columns, rows, options = {}) {
    const numeric = (kind) => kind !== "text" && kind !== "node";
    const cell = (column, row, place) => {
      const value = column.value(row);
      const inner = column.kind === "node" ? value : show[column.kind](value);
      return h(place ? "td" : "th", { scope: place ? null : "row", class: [numeric(column.kind) && "num", column.class].filter(Boolean).join(" ") || null, "data-name": column.title }, inner);
    };
    return h("div.scroll", {}, h(`table${options.class ? "." + options.class : ""}`, {},
      options.caption ? h("caption", {}, options.caption) : null,
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: [numeric(column.kind) && "num", column.class].filter(Boolean).join(" ") || null }, column.title)))),
      h("tbody", {}, rows.map((row) => h("tr", { class: options.row?.(row) }, columns.map((column, place) => cell(column, row, place)))))));
  }
  const bar = (share, kind) => h("span.meter", { "aria-hidden": "true" }, h(`span.meter-fill.${kind}`, { width: share ?? 0 }));
  const metered = (share, kind) => h("span.metered", {}, bar(share, kind), h("span", {}, show.percent(share)));

  // ---- charts: drawn as SVG, with their data as a table behind a button
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function chart(title, sub, options, option, rows) {
    const canvas = h("div.chart", { role: "img", "aria-label": `${title}. ${sub ?? ""}` });
    canvas.style.height = `${options.height ?? 300}px`;
    const behind = h("div.chart-table", { hidden: true }, rows);
    const button = h("button.tool", { type: "button", "aria-pressed": "false", title: word("as_table"), on: { click: () => {
      behind.hidden = !behind.hidden;
      canvas.hidden = !behind.hidden;
      (options.beside ?? []).forEach((item) => { item.hidden = canvas.hidden; });
      button.setAttribute("aria-pressed", String(!behind.hidden));
      if (!canvas.hidden) drawings.find((item) => item.canvas === canvas)?.draw();
    } } }, icon("table"), h("span", {}, word("table")));
    const made = card(title, sub, { ...options, tools: button }, options.wrap ? options.wrap(canvas) : canvas, behind, options.after ?? null);
    drawings.push({ canvas, option, height: options.height ?? 300, drawn: null, draw(width) {
      if (this.canvas.hidden) return;
      this.drawn?.dispose();
      this.canvas.style.width = width ? `${width}px` : "";
      this.canvas.style.height = `${width ? Math.min(this.height, 380) : this.height}px`;
      this.drawn = echarts.init(this.canvas, null, { renderer: "svg", locale: lang === "zh" ? "ZH" : "EN" });
      this.drawn.setOption(dressed(this.option(), this.drawn.getWidth()));
      this.drawn.getZr().flush();
    } });
    return made;
  }
  function dressed(option, width) {
    const [ink, soft, line] = ["--ink", "--ink-3", "--line"].map(token);
    const axis = (own = {}) => ({ axisTick: { show: false }, ...own,
      axisLine: { show: own.type === "category", lineStyle: { color: line }, ...own.axisLine }, splitLine: { show: own.type !== "category", lineStyle: { color: line }, ...own.splitLine },
      axisLabel: { color: soft, fontSize: 12, hideOverlap: true, ...own.axisLabel }, nameTextStyle: { color: soft, fontSize: 12 } });
    const many = (one) => (Array.isArray(one) ? one.map(axis) : one ? axis(one) : undefined);
    return {
      animation: false, textStyle: { fontFamily: token("--font"), color: ink, fontSize: 12 }, color: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => token(`--c${n}`)),
      ...option, xAxis: many(option.xAxis), yAxis: many(option.yAxis),
      grid: { left: 6, right: 12, top: 16, bottom: 6, containLabel: true, ...option.grid },
      legend: option.legend ? { textStyle: { color: ink }, icon: "roundRect", itemWidth: 11, itemHeight: 11, itemGap: 14, left: 0, top: 0, type: width < 420 ? "scroll" : "plain", ...option.legend } : undefined,
      tooltip: { renderMode: "richText", confine: true, backgroundColor: token("--surface"), borderColor: token("--line-strong"), textStyle: { color: ink, fontSize: 12 }, ...option.tooltip },
    };
  }
  const mix = (low, high, part) => {
    const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const [a, b] = [rgb(low), rgb(high)];
    return `rgb(${a.map((value, at) => Math.round(value + (b[at] - value) * part)).join(",")})`;
  };
  // a heat map whose colours follow the rank of a cell, so that one rich cell does not bleach all others
  function heat(cells, value, across, up, label) {
    const values = [...new Set(cells.map(value).filter((v) => v !== null))].sort((a, b) => a - b);
    const part = (cell) => (values.length > 1 && value(cell) !== null ? values.indexOf(value(cell)) / (values.length - 1) : 0);
    return {
      grid: { left: 4, right: 8, top: 6, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: across, axisLine: { show: false }, axisLabel: { interval: 0 } },
      yAxis: { type: "category", data: up, axisLine: { show: false }, axisLabel: { interval: 0 } },
      tooltip: { formatter: (item) => label.tip(item.data.cell) },
      series: [{ type: "heatmap", label: { show: true, fontSize: 12.5, fontWeight: 600 }, data: cells.map((cell) => ({
        value: [cell.x, cell.y, value(cell)], cell,
        itemStyle: { color: mix(token("--heat-0"), token("--heat-1"), part(cell)), borderColor: token("--surface"), borderWidth: 3, borderRadius: 6 },
        label: { color: part(cell) > 0.6 ? token("--heat-high") : token("--heat-low"), formatter: () => label.cell(cell) },
      })) }],
      visualMap: { show: false, min: 0, max: 1, dimension: 0, inRange: { opacity: 1 } },
    };
  }

  // ---- the parts, in the order of the page
  function cover() {
    const { cover: of, figures: f } = data;
    const facts = [[word("as_of"), of.as_of], of.history_start && [word("history_since"), of.history_start.slice(0, 10)], [word("run"), of.run_id], [word("engine"), `${of.engine}${of.version ? ` · Kequn ${of.version}` : ""}`]];
    const tile = (title, value, below) => h("div.tile", {}, h("span.tile-title", {}, title), h("strong", {}, value), h("span.tile-below", {}, below));
    const change = f.revenue_prev_90d ? f.revenue_90d / f.revenue_prev_90d - 1 : null;
    return h("section.cover", { id: "cover" },
      h("div.cover-text", {}, h("p.over", {}, word("title")), h("h1", {}, text(of.workspace)),
        h("dl.cover-facts", {}, facts.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
      h("div.tiles", {},
        tile(word("customers"), f.customers < 1e5 ? show.count(f.customers) : show.compact(f.customers), f.buyers === null ? "" : word("tile.buyers", { n: show.count(f.buyers) })),
        tile(word("revenue_12m"), show.money(f.revenue_12m ?? f.revenue), f.customers ? word("tile.per_head", { x: show.money((f.revenue_12m ?? f.revenue ?? 0) / f.customers) }) : ""),
        tile(word("orders"), show.compact(f.orders), f.customers && f.orders !== null ? word("tile.orders_each", { x: plain(f.orders / f.customers, 1) }) : ""),
        tile(word("average_order_value"), show.money(f.average_order_value), word("tile.all_time")),
        tile(word("active_share"), show.percent(f.active_share), change === null ? word("tile.active") : word(change >= 0 ? "tile.trend_up" : "tile.trend_down", { x: show.percent(Math.abs(change)) })),
        tile(word("top_decile"), show.percent(f.top_decile), word("tile.top_decile"))));
  }
  function overview() {
    const action = data.schemes.find((scheme) => scheme.name === data.action);
    const found = data.findings.map((item, place) => {
      const fields = Object.fromEntries(Object.entries(item.fields).map(([name, field]) => [name, field.kind ? show[field.kind](field.value) : text(field)]));
      return h("li", {}, h("span.rank", {}, String(place + 1)), h("p", {}, word(item.code, fields)));
    });
    const warnings = data.attention.map((item) => h(`li.${item.level}`, {}, h("span.sign", {}, icon(item.level === "warn" ? "alert" : "info")), h("p", {}, text(item.text))));
    return section("overview",
      card(word("findings"), word("findings.sub"), { span: 7 }, found.length ? h("ol.findings", {}, found) : note(word("nothing"))),
      card(word("attention"), word("attention.sub"), { span: 5 }, warnings.length ? h("ul.attention", {}, warnings) : h("p.fine", {}, icon("check"), word("attention.none"))),
      action ? first(action) : null, trend(), concentration(), areas());
  }
  function first(scheme) {
    const rows = scheme.segments.filter((row) => row.customers && row.playbook).sort((a, b) => (b.revenue ?? 0) - (a.revenue ?? 0) || b.customers - a.customers);
    return card(word("first"), word("first.sub", { scheme: text(scheme.title) }), { span: 12, long: true }, segmentTable(rows, "first"));
  }
  function segmentTable(rows, kind) {
    const most = Math.max(...rows.map((row) => Math.max(row.share, row.revenue_share ?? 0)), 0.01);
    const scaled = (share, colour) => h("span.metered", {}, bar((share ?? 0) / most, colour), h("span", {}, show.percent(share)));
    return table([
      { title: word("segment"), kind: "node", class: "name", value: (row) => [text(row.title), row.owner ? h("small", {}, row.owner) : null] },
      { title: word("customers"), kind: "count", value: (row) => row.customers },
      { title: word("share"), kind: "node", class: "wide", value: (row) => scaled(row.share, "a") },
      { title: word("revenue"), kind: "money", value: (row) => row.revenue },
      { title: word("revenue_share"), kind: "node", class: "wide", value: (row) => scaled(row.revenue_share, "b") },
      { title: word("per_head"), kind: "money", class: "each", value: (row) => row.per_head },
      { title: word("playbook"), kind: "node", class: "do", value: (row) => text(row.playbook) || none },
    ], rows, { class: `segments.${kind}`, row: (row) => (row.customers ? null : "empty") });
  }
  function trend() {
    const of = data.monthly;
    if (!of) return null;
    const columns = [{ title: word("month"), kind: "text", value: (at) => of.months[at] }, ...of.series.map((one) => ({ title: text(one.title), kind: "money", value: (at) => one.values[at] }))];
    return chart(word("monthly"), of.scheme ? word("monthly.sub", { scheme: text(of.scheme) }) : "", { span: 7, height: 300 }, () => ({
      legend: of.series.length > 1 ? {} : undefined, grid: { top: of.series.length > 1 ? 38 : 16 },
      xAxis: { type: "category", data: of.months.map((month) => month.slice(2).replace("-", "/")) },
      yAxis: { type: "value", axisLabel: { formatter: (value) => show.money(value) } },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: show.money },
      series: of.series.map((one, at) => ({ type: "bar", stack: "all", name: text(one.title), data: one.values, barMaxWidth: 34,
        itemStyle: { color: of.series.length > 1 ? token(`--tier-${Math.min(at, 4)}`) : token("--c1"), borderColor: token("--surface"), borderWidth: 1 } })),
    }), table(columns, of.months.map((_, at) => at)));
  }
  function concentration() {
    if (!data.deciles.length) return null;
    const name = (row) => (row.decile === 1 ? word("decile.first") : `${(row.decile - 1) * 10}–${row.decile * 10}%`);
    return chart(word("deciles"), word("deciles.sub"), { span: data.monthly ? 5 : 12, height: 300 }, () => ({
      grid: { top: 26 },
      xAxis: { type: "category", data: data.deciles.map(name), axisLabel: { interval: 0, fontSize: 11, formatter: (value, at) => (at === 0 ? value : at % 3 === 0 || at === 9 ? value : "") } },
      yAxis: { type: "value", axisLabel: { formatter: (value) => `${Math.round(value * 100)}%` } },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: show.percent },
      series: [{ type: "bar", data: data.deciles.map((row, at) => ({ value: row.share, itemStyle: { color: token(at ? "--c1-soft" : "--c1"), borderRadius: [4, 4, 0, 0] } })), barCategoryGap: "22%",
        label: { show: true, position: "top", color: token("--ink-2"), fontSize: 11, formatter: (item) => `${Math.round(item.value * 100)}%` } }],
    }), table([{ title: word("deciles.group"), kind: "text", value: name }, { title: word("customers"), kind: "count", value: (row) => row.customers }, { title: word("revenue"), kind: "money", value: (row) => row.revenue }, { title: word("revenue_share"), kind: "percent", value: (row) => row.share }], data.deciles));
  }
  function rfm() {
    const of = data.heat_map;
    if (!of) return section("rfm", h("div.span-12", {}, gap(word("rfm.gap"))));
    const [across, up] = of.axes;
    const scheme = data.schemes.find((one) => one.name === of.name);
    const scores = (axis) => Array.from({ length: axis.scores }, (_, at) => `${axis.id}${at + 1}`);
    const tip = (cell) => `${across.id}${cell.x + 1} · ${up.id}${cell.y + 1}\n${word("customers")} ${show.count(cell.customers)}\n${word("revenue")} ${show.money(cell.revenue)}\n${word("per_head")} ${show.money(cell.per_head)}`;
    const cells = of.cells.map((cell) => ({ ...cell, x: cell.x - 1, y: cell.y - 1 }));
    const name = (axis) => `${text(axis.title)} (${axis.id})`;
    const ends = h("div.heat-ends", {}, h("span", {}, word("heat.low")), h("span.heat-scale"), h("span", {}, word("heat.high")));
    const thresholds = table([{ title: word("score"), kind: "text", value: (row) => row.score }, ...of.axes.map((axis) => ({ title: `${axis.id} · ${text(axis.column ?? axis.title)}${axis.unit ? ` (${word(`unit.${axis.unit}`)})` : ""}`, kind: "text", value: (row) => (row.bands[axis.id] ? text(row.bands[axis.id]) : none) }))],
      Array.from({ length: Math.max(...of.axes.map((axis) => axis.scores)) }, (_, at) => ({ score: String(at + 1), bands: Object.fromEntries(of.axes.map((axis) => [axis.id, axis.bands[at]])) })).reverse());
    return section("rfm",
      chart(word("heat", { scheme: text(of.scheme) }), word("heat.sub", { across: name(across), up: name(up) }), { span: 7, height: scheme ? balanceHeight(scheme) - 34 : 340, after: ends }, () => heat(cells, (cell) => cell.per_head ?? cell.customers, scores(across), scores(up), { cell: (cell) => show.compact(cell.customers), tip }),
        table([{ title: across.id, kind: "text", value: (cell) => `${across.id}${cell.x + 1}` }, { title: up.id, kind: "text", value: (cell) => `${up.id}${cell.y + 1}` }, { title: word("customers"), kind: "count", value: (cell) => cell.customers }, { title: word("revenue"), kind: "money", value: (cell) => cell.revenue }, { title: word("per_head"), kind: "money", value: (cell) => cell.per_head }], cells)),
      scheme ? balance(scheme) : null,
      card(word("thresholds"), word("thresholds.sub"), { span: 12 }, thresholds));
  }
  const balanceHeight = (scheme) => Math.max(340, scheme.segments.filter((row) => row.customers).length * 40 + 50);
  function balance(scheme) {
    const rows = scheme.segments.filter((row) => row.customers).reverse();
    return chart(word("balance"), word("balance.sub"), { span: 5, height: balanceHeight(scheme) }, () => ({
      legend: {}, grid: { top: 34, right: 44 },
      xAxis: { type: "value", axisLabel: { formatter: (value) => `${Math.round(value * 100)}%` } },
      yAxis: { type: "category", data: rows.map((row) => text(row.title)), axisLabel: { color: token("--ink-2") } },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: show.percent },
      series: [[word("revenue_share"), "revenue_share", "--c5"], [word("share"), "share", "--c1"]].map(([name, key, colour]) => ({ type: "bar", name, data: rows.map((row) => row[key]), barGap: "10%", barCategoryGap: "34%",
        itemStyle: { color: token(colour), borderRadius: [0, 3, 3, 0] }, label: { show: true, position: "right", fontSize: 10.5, color: token("--ink-3"), formatter: (item) => show.percent(item.value) } })),
    }), table([{ title: word("segment"), kind: "text", value: (row) => row.title }, { title: word("share"), kind: "percent", value: (row) => row.share }, { title: word("revenue_share"), kind: "percent", value: (row) => row.revenue_share }], [...rows].reverse()));
  }
  function tiers() {
    const parts = [pyramid(), crossing()].filter(Boolean);
    return section("tiers", parts.length ? parts : h("div.span-12", {}, gap(word("tiers.gap"))));
  }
  function pyramid() {
    const of = data.tiers;
    if (!of) return null;
    const height = Math.max(260, of.segments.length * 74, data.crossed ? crossedHeight() : 0);
    const beside = h("ol.tier-list", {}, of.segments.map((row, at) => h("li", {}, h("div", {}, h("strong", {}, text(row.title)), h("span.muted", {}, word("tier.line", { n: show.count(row.customers), share: show.percent(row.share), each: show.money(row.per_head) }))),
      h("div.tier-bar", {}, h("span.meter.big", {}, h(`span.meter-fill.t${Math.min(at, 4)}`, { width: row.revenue_share ?? 0 })), h("b", {}, show.percent(row.revenue_share)), h("span.muted", {}, word("tier.revenue"))))));
    beside.style.setProperty("--rows", of.segments.length);
    return chart(text(of.title), of.ranked_by ? word("tiers.ranked", { column: text(of.ranked_by) }) : text(of.purpose), { span: data.crossed ? 6 : 12, height, beside: [beside], wrap: (canvas) => h("div.pyramid", {}, canvas, beside) }, () => ({
      tooltip: { formatter: (item) => `${item.name}\n${word("customers")} ${show.count(item.data.row.customers)}\n${word("revenue_share")} ${show.percent(item.data.row.revenue_share)}` },
      series: [{ type: "funnel", sort: "ascending", left: 0, right: 0, top: 4, bottom: 4, minSize: "0%", maxSize: "100%", gap: 4, min: 0, max: of.segments.length, funnelAlign: "center",
        label: { show: true, position: "inside", fontWeight: 600, fontSize: 12 },
        data: of.segments.map((row, at) => ({ name: text(row.title), value: at + 1, row, itemStyle: { color: token(`--tier-${Math.min(at, 4)}`), borderWidth: 0 },
          label: { formatter: () => (at === 0 && of.segments.length > 3 ? "" : show.percent(row.share)), color: at < 2 ? token("--tier-ink-high") : token("--tier-ink-low") } })) }],
    }), segmentTable(of.segments, "tier-table"));
  }
  const crossedHeight = () => Math.max(280, data.crossed.up.segments.length * 44 + 40);
  function crossing() {
    const of = data.crossed;
    if (!of) return null;
    const up = [...of.up.segments].reverse();
    const cells = of.cells.map((cell) => ({ ...cell, y: up.length - 1 - cell.y }));
    const names = (cell) => `${text(of.across.segments[cell.x])} × ${text(up[cell.y])}`;
    const height = crossedHeight();
    return chart(word("crossed", { a: text(of.across.title), b: text(of.up.title) }), word("crossed.sub"), { span: 6, height }, () => heat(cells, (cell) => cell.revenue ?? cell.customers, of.across.segments.map(text), up.map(text),
      { cell: (cell) => show.compact(cell.customers), tip: (cell) => `${names(cell)}\n${word("customers")} ${show.count(cell.customers)}\n${word("revenue")} ${show.money(cell.revenue)}` }),
      table([{ title: word("segment"), kind: "text", value: names }, { title: word("customers"), kind: "count", value: (cell) => cell.customers }, { title: word("revenue"), kind: "money", value: (cell) => cell.revenue }, { title: word("per_head"), kind: "money", value: (cell) => cell.per_head }], cells));
  }
  // one tile a province
  function areas() {
    const of = data.areas;
    if (!of) return null;
    const tip = (tile) => `${text(tile.title)}\n${word("customers")} ${show.count(tile.customers)}\n${word("revenue")} ${show.money(tile.revenue)}`;
    const label = (tile) => `${text(tile.title)}\n${show.compact(tile.customers)}`;
    const blank = (n) => Array.from({ length: n }, (_, place) => String(place));
    return chart(word("map"), word("map.sub", { known: show.count(of.known), unknown: show.count(of.unknown) }), { span: 12, height: 430 }, () => {
      const drawn = heat(of.tiles, (tile) => tile.customers, blank(of.columns), blank(of.rows), { cell: label, tip });
      for (const axis of [drawn.xAxis, drawn.yAxis]) Object.assign(axis, { axisLabel: { show: false }, axisTick: { show: false }, splitLine: { show: false } });
      Object.assign(drawn.series[0].label, { fontSize: window.innerWidth > 640 ? 11.5 : 8.5, fontWeight: 500, lineHeight: window.innerWidth > 640 ? 16 : 11 });
      return drawn;
    }, table([{ title: word("map.area"), kind: "text", value: (tile) => text(tile.title) }, { title: word("customers"), kind: "count", value: (tile) => tile.customers },
      { title: word("share"), kind: "percent", value: (tile) => tile.share }, { title: word("revenue"), kind: "money", value: (tile) => tile.revenue }], of.tiles.filter((tile) => tile.customers).sort((a, b) => b.customers - a.customers)));
  }
  function segments() {
    return section("segments", data.portrait_gap ? h("div.span-12", {}, gap(data.portrait_gap)) : null, data.schemes.map(scheme));
  }
  function scheme(of) {
    const model = of.model ? data.models.find((one) => one.model === of.model) : null;
    const tags = h("div.tags", {}, model ? badge(text(model.title), "accent") : null, of.kind ? badge(word(`kind.${of.kind}`)) : null, of.owner ? badge(`${word("owner")} ${of.owner}`) : null);
    const told = of.segments.filter((row) => row.portrait.length);
    const sub = [word("scheme.size", { n: show.count(of.customers) }), of.outside ? word("scheme.outside", { n: show.count(of.outside) }) : null].filter(Boolean).join(word("stop"));
    return card(text(of.title), sub, { span: 12, long: true, tools: tags },
      of.purpose ? h("p.purpose", {}, text(of.purpose), of.limits ? h("span.muted", {}, ` ${word("limits")}${text(of.limits)}`) : null) : null,
      segmentTable(of.segments, "all"),
      of.found ? discovery(of.found) : null,
      told.length ? h("div.portraits", {}, told.map((row) => portrait(row, of.name === data.action))) : null);
  }
  // how a cluster scheme came to its groups, who is in them, and what became of the last run's
  function discovery(found) {
    const { quality } = found;
    const number = (value) => (value === null ? none : plain(value, 2));
    const trust = quality.stability === null ? null : badge(word(quality.stable ? "found.stable" : "found.unstable", { n: plain(quality.stability, 2) }), quality.stable ? "good" : "warn");
    const tried = found.candidates.length ? table([
      { title: word("found.number"), kind: "text", value: (one) => `${one.k}${one.k === found.k ? " ←" : ""}` },
      ...["silhouette", "stability", "weakest"].map((key) => ({ title: word(`found.${key}`), kind: "text", class: "num", value: (one) => number(one[key]) })),
      { title: "BIC", kind: "text", class: "num", value: (one) => (one.bic === null ? none : show.count(Math.round(one.bic))) },
    ], found.candidates, { row: (one) => (one.k === found.k ? "chosen" : null) }) : null;
    const rules = found.groups.map((group) => h("li", {}, h("strong", {}, text(group.title)), h("span", {}, group.rule ? text(group.rule) : word("found.no_rule")),
      group.right === null || group.right === undefined ? null : h("small.muted", {}, word("found.right", { right: show.percent(group.right), caught: show.percent(group.caught) }))));
    return h("details.discovery", {}, h("summary", {}, h("strong", {}, word("found.k", { k: found.k })), h("span.muted", {}, text(found.reason)), trust),
      h("div.discovery-parts", {},
        h("div", {}, h("h4", {}, word("found.rules")), quality.fidelity === null ? null : h("p.muted", {}, word("found.fidelity", { n: show.percent(quality.fidelity) })), h("ul", {}, rules)),
        h("div", {}, h("h4", {}, word("found.tried")), tried, found.lineage.length ? [h("h4", {}, word("found.lineage")), h("ul", {}, found.lineage.map((link) => h("li", {}, text(link.text))))] : null)));
  }
  function portrait(row, open) {
    const most = Math.max(...row.portrait.map((item) => Math.abs(Math.log2(clip(item.lift)))), 1);
    const lines = row.portrait.map((item) => {
      const more = item.lift === null || item.lift >= 1;
      return h("li", {}, h("span.trait", {}, h("span.muted", {}, `${text(item.dimension)} `), range(item)),
        h("span.trait-share", {}, word("portrait.share", { here: show.percent(item.share), rest: show.percent(item.rest_share) })),
        h("span.meter", {}, h(`span.meter-fill.${more ? "b" : "d"}`, { width: Math.abs(Math.log2(clip(item.lift))) / most })),
        h(`b.${more ? "good" : "bad"}`, {}, item.lift === null ? word("portrait.only") : `${plain(item.lift, item.lift < 10 ? 2 : 0)}×`));
    });
    return h("details.portrait", { open: open && window.innerWidth > 640 }, h("summary", {}, h("strong", {}, text(row.title)), h("span.muted", {}, word("portrait.of", { n: show.count(row.customers) }))), h("ul", {}, lines));
  }
  // a bin of numbers is (low, high]
  function range(item) {
    const { low, high, kind } = item;
    if (low === null && high === null) return text(item.value);
    const worded = (value) => show[kind === "number" ? "number" : kind](value);
    if (low === null) return `≤ ${worded(high)}`;
    return high === null ? `> ${worded(low)}` : word("portrait.range", { low: worded(low), high: worded(high) });
  }
  const clip = (lift) => Math.min(64, Math.max(1 / 64, lift ?? 64)); // no lift: nobody else has it
  function models() {
    const list = (title, items) => (items ? h("div.model-part", {}, h("h4", {}, title), items) : null);
    return section("models", h("div.models.span-12", {}, data.models.map((of) => {
      const state = of.schemes.length ? "ready" : of.features ? "partly" : "locked";
      return h(`section.card.model.${state}`, {},
        h("header", {}, h("h3", {}, text(of.title)), h(`span.state.${state}`, {}, icon(state === "locked" ? "lock" : "check"), word(`state.${state}`))),
        h("p.muted", {}, text(of.about)),
        h("div.model-count", {}, h("strong", {}, show.count(of.features)), h("span", {}, of.absent ? word("model.features_of", { n: of.features + of.absent }) : word("model.features"))),
        of.features + of.absent ? h("span.meter", {}, h("span.meter-fill.a", { width: of.features / (of.features + of.absent) })) : null,
        list(word("model.schemes"), of.schemes.length ? h("div.tags", {}, of.schemes.map((title) => badge(text(title), "accent"))) : null),
        list(word("model.waiting"), of.waiting.length ? h("ul.plain", {}, of.waiting.map((item) => h("li", {}, text(item.title), h("span.muted", {}, word("model.needs", { what: item.missing.map(text).join(word("comma")) }))))) : null),
        list(word("model.unlocks"), of.unlocks.length ? h("ul.plain", {}, of.unlocks.map((item) => h("li", {}, text(item.title), item.features ? h("span.muted", {}, word("model.unlocks_n", { n: item.features })) : null))) : null));
    })));
  }
  function predictions() {
    const of = data.predictions;
    if (of.gap) return section("predictions", h("div.span-12", {}, gap(of.gap)));
    const state = (one) => (one.published ? ["predict.published", "good"] : one.used ? ["predict.simpler", "warn"] : ["predict.not", ""]);
    const measured = of.cards.filter((one) => one.judged || !one.gate.ok);
    const withError = (effect) => [`×${effect.factor.toFixed(2)}`, h("small", {}, `${effect.value.toFixed(2)}${effect.error === null ? "" : ` ± ${effect.error.toFixed(2)}`}`)];
    const curved = (one) => one.reliability.length > 2;
    const judged = [...measured.filter(curved), ...measured.filter((one) => !curved(one))].map((one) => [
      card(text(one.model), one.window ? word("predict.window", { window: one.window }) : "", { span: 6, tools: badge(word(state(one)[0]), state(one)[1]) },
        one.gate.text ? h(`p.gate.${one.gate.ok ? "fine" : "short"}`, {}, icon(one.gate.ok ? "check" : "lock"), sentence(text(one.gate.text))) : null,
        one.used ? note(word("predict.used", { name: text(one.used) })) : null,
        one.measures.length ? table([{ title: word("predict.measure"), kind: "text", value: (row) => row.name }, { title: word("predict.model"), kind: "node", class: "num", value: (row) => show[row.kind](row.model) },
          { title: word("predict.baseline"), kind: "node", class: "num", value: (row) => show[row.kind](row.baseline) },
          { title: word("predict.verdict"), kind: "node", value: (row) => (row.better === null ? none : badge(word(row.better ? "predict.wins" : "predict.loses"), row.better ? "good" : "warn")) }], one.measures) : null,
        one.rival ? note(word("predict.baseline_named", { name: text(one.rival) })) : null,
        one.bands.length ? table([{ title: word("predict.band"), kind: "text", value: (row) => row.title }, { title: word("customers"), kind: "count", value: (row) => row.customers }, { title: word("predict.band_churn"), kind: "percent", value: (row) => row.churn }], one.bands) : null,
        one.coefficients.length ? table([{ title: word("predict.covariate"), kind: "text", value: (row) => row.title },
          ...["rate", "leaving"].map((effect) => ({ title: word(`predict.coefficient_${effect}`), kind: "node", class: "num", value: (row) => withError(row[effect]) }))], one.coefficients, { class: "tall-head" }) : null,
        one.notes.length ? h("ul.plain.muted", {}, one.notes.map((item) => h("li", {}, sentence(text(item))))) : null),
      curved(one) ? reliability(one) : null]);
    const rest = of.cards.filter((one) => !measured.includes(one));
    const other = (one) => {
      const told = [one.gate.text, one.used && word("predict.used", { name: text(one.used) }), ...one.notes].filter(Boolean);
      return h("li", {}, h("strong", {}, text(one.model)), h("p.muted", {}, told.map((item) => sentence(text(item)).replace(/[。.]$/, "")).join(word("stop"))));
    };
    return section("predictions", judged,
      rest.length ? card(word("predict.more"), word("predict.more.sub"), { span: measured.filter((one) => !curved(one)).length % 2 ? 6 : 12 }, h("ul.plain", {}, rest.map(other))) : null,
      of.by_segment ? card(word("predict.by_segment"), word("predict.by_segment.sub", { scheme: text(of.by_segment.scheme) }), { span: 12, long: true }, table([{ title: word("segment"), kind: "text", value: (row) => row.title }, { title: word("customers"), kind: "count", value: (row) => row.customers },
        ...of.by_segment.columns.map((column, at) => ({ title: text(column.title), kind: column.kind, value: (row) => row.values[at] }))], of.by_segment.rows, { class: "tall-head" })) : null,
      of.sensitivity ? card(word("predict.sensitivity"), word("predict.sensitivity.sub", { margin: show.percent(of.sensitivity.margin) }), { span: 12 }, table([{ title: word("predict.horizon"), kind: "node", value: (row) => word("predict.months", { n: row.horizon }) },
        ...of.sensitivity.rates.map((rate, at) => ({ title: word("predict.rate", { rate: show.percent(rate) }), kind: "node", class: "num", value: (row) => (row.horizon === of.sensitivity.chosen[0] && rate === of.sensitivity.chosen[1] ? h("strong", {}, show.money(row.values[at])) : show.money(row.values[at])) }))], of.sensitivity.rows)) : null,
      of.offers.length ? card(word("offers"), word("offers.sub"), { span: 12 }, table([{ title: word("offers.product"), kind: "node", value: (row) => [row.name ?? row.product_id, row.name ? h("small", {}, row.product_id) : null] }, { title: word("customers"), kind: "count", value: (row) => row.customers },
        { title: word("offers.probability"), kind: "percent", value: (row) => row.probability }], of.offers)) : null);
  }
  function reliability(one) {
    return chart(word("reliability", { model: text(one.model) }), word("reliability.sub"), { span: 6, height: 260 }, () => ({
      legend: {}, grid: { top: 36, right: 30 }, xAxis: { type: "value", min: 0, axisLabel: { formatter: (value) => `${Math.round(value * 100)}%` } }, yAxis: { type: "value", min: 0, axisLabel: { formatter: (value) => `${Math.round(value * 100)}%` } },
      tooltip: { trigger: "item", valueFormatter: show.percent },
      series: [{ type: "line", name: word("reliability.model"), data: one.reliability.map((row) => [row.predicted, row.observed]), symbolSize: 7 },
        { type: "line", name: word("reliability.ideal"), symbol: "none", lineStyle: { type: "dashed", color: token("--ink-3") }, itemStyle: { color: token("--ink-3") }, data: [[0, 0], [1, 1].map(() => Math.max(...one.reliability.map((row) => Math.max(row.predicted, row.observed))))] }],
    }), table([{ title: word("reliability.predicted"), kind: "percent", value: (row) => row.predicted }, { title: word("reliability.observed"), kind: "percent", value: (row) => row.observed }, { title: word("customers"), kind: "count", value: (row) => row.customers }], one.reliability));
  }
  function quality() {
    const of = data.quality;
    const sales = [[word("anonymous"), of.anonymous], [word("returned"), of.returned]].filter(([, item]) => item.orders !== null && item.orders !== undefined);
    return section("quality",
      card(word("reconciliation"), word("reconciliation.sub"), { span: 7, long: true }, of.tables.length ? table([{ title: word("table"), kind: "text", value: (row) => row.title }, { title: word("rows.read"), kind: "count", value: (row) => row.read }, { title: word("rows.kept"), kind: "count", value: (row) => row.kept },
        { title: word("rows.quarantined"), kind: "count", value: (row) => row.quarantined }, { title: word("rows.duplicates"), kind: "count", value: (row) => row.duplicates },
        { title: word("rows.balance"), kind: "node", value: (row) => badge(word(row.balanced ? "rows.balanced" : "rows.unbalanced"), row.balanced ? "good" : "bad") }], of.tables) : note(word("nothing")),
        sales.length ? h("dl.pairs", {}, sales.map(([name, item]) => h("div", {}, h("dt", {}, name), h("dd", {}, word("sales.line", { n: show.count(item.orders), money: show.money(item.amount ?? 0) }))))) : null),
      card(word("completeness"), word("completeness.sub"), { span: 5 }, of.attributes.length ? table([{ title: word("attribute"), kind: "text", value: (row) => row.title }, { title: word("known"), kind: "count", value: (row) => row.known }, { title: word("share"), kind: "node", class: "wide", value: (row) => metered(row.share, row.share < 0.5 ? "c" : "a") }], of.attributes) : note(word("completeness.none"))),
      card(word("quarantine"), word("quarantine.sub"), { span: 12 }, of.reasons.length ? table([{ title: word("table"), kind: "text", value: (row) => row.table }, { title: word("reason"), kind: "text", value: (row) => row.reason }, { title: word("rows"), kind: "count", value: (row) => row.rows }], of.reasons) : h("p.fine", {}, icon("check"), word("quarantine.none"))));
  }
  function appendix() {
    const of = data.rulebook;
    const rules = of.schemes.map((one) => h("details.rule", {}, h("summary", {}, h("strong", {}, text(one.title)), one.kind ? badge(word(`kind.${one.kind}`)) : null),
      h("dl.rules", {}, one.rules.map((line) => [h("dt", {}, text(line.title)), h("dd", {}, line.code ? h("code", {}, line.code) : text(line.text) || none)]))));
    const pairs = (items) => h("dl.pairs", {}, items.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    return section("appendix",
      card(word("rules"), word("rules.sub"), { span: 12, long: true }, rules),
      card(word("formulas"), word("formulas.sub"), { span: 12, long: true }, h("dl.rules", {}, of.formulas.map((item) => [h("dt", {}, text(item.name)), h("dd", {}, text(item.formula))]))),
      card(word("made"), word("made.sub"), { span: 12 }, pairs([[word("run"), data.cover.run_id], [word("created"), (data.cover.created_at ?? "").slice(0, 19).replace("T", " ")], ...of.versions.map((item) => [item.name, item.version])]),
        of.seconds.length ? pairs(of.seconds.map((item) => [text(item.step), word("seconds", { n: plain(item.seconds, 2) })])) : null,
        of.digests.length ? h("details.rule", {}, h("summary", {}, h("strong", {}, word("digests"))), h("dl.rules", {}, of.digests.map((item) => [h("dt", {}, text(item.title)), h("dd", {}, h("code", {}, item.digest))]))) : null));
  }
  function section(name, ...children) {
    return h("section.part", { id: name }, h("div.grid", {}, h("header.part-head", {}, h("h2", {}, word(`part.${name}`)), h("p", {}, word(`part.${name}.sub`))), children));
  }
  const PARTS = { overview, rfm, tiers, segments, models, predictions, quality, appendix };

  function top() {
    const languages = h("div.languages", { role: "group", "aria-label": word("language") }, data.languages.map((one) => h("button", { type: "button", "aria-pressed": String(one === lang), lang: one === "zh" ? "zh-CN" : "en", on: { click: () => speak(one) } }, one === "zh" ? "中文" : "English")));
    return h("nav.top", { "aria-label": word("contents") }, h("div.top-inner", {}, h("a.brand", { href: "#cover" }, h("span.mark", {}, icon("mark")), word("brand")),
      h("div.links", {}, Object.keys(PARTS).map((name) => h("a", { href: `#${name}` }, word(`part.${name}`)))), languages));
  }
  function build() {
    drawings.forEach((item) => item.drawn?.dispose());
    drawings = [];
    document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
    document.title = `${text(data.cover.workspace)} · ${word("title")}`;
    document.getElementById("report").replaceChildren(top(), h("main", {}, cover(), Object.values(PARTS).map((part) => part())), h("footer", {}, word("footer", { run: data.cover.run_id, date: data.cover.as_of })));
    drawings.forEach((item) => item.draw());
  }
  function speak(next) {
    const place = window.scrollY;
    lang = next;
    build();
    window.scrollTo(0, place);
    document.querySelector('.languages [aria-pressed="true"]').focus({ preventScroll: true });
  }

  // ---- paper: light colours, charts as wide as the sheet, everything unfolded
  const SHEET = 660;
  let folded = [];
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((item) => { item.open = true; });
    drawings.forEach((item) => item.draw(item.canvas.parentElement.classList.contains("pyramid") ? 236 : SHEET));
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    folded.forEach((item) => { item.open = false; });
    drawings.forEach((item) => item.draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawings.forEach((item) => item.draw()));
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width || document.documentElement.classList.contains("paper")) return;
    width = window.innerWidth;
    drawings.forEach((item) => item.draw());
  });
  build();
  document.documentElement.dataset.ready = "true";
})();
