// Lines over x, drawn by uPlot. Beside each plot stands what it shows in words: a legend with the values at the cursor, which
// the arrow keys move as well as the mouse, and a table. Colours come from the sheet; each line has a dash of its own, too.

import { el, svg } from "./dom.js";
import { aligned, number, positive, smoothed, some } from "./points.js";

const HEIGHT = 220; // pixels
const COLOURS = 8; // in the sheet, as --line-0 and so on
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const ROWS = 200; // of the table
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

const WHOLE = Array.from({ length: 12 }, (_, zeros) => [1, 2, 5].map((digit) => digit * 10 ** zeros)).flat(); // between ticks

let library = null;

// uPlot is fetched when the first plot is shown.
export function uPlot() {
  library ??= import("../vendor/uplot/uPlot.esm.js").then((module) => module.default);
  return library;
}

export const sheet = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const dashOf = (index) => DASHES[Math.floor(index / COLOURS) % DASHES.length];
export const colourOf = (index) => sheet(`--line-${index % COLOURS}`);

// Calls `redraw` whenever the colours of the sheet change; returns what ends that.
export function whenColoursChange(redraw) {
  const queries = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
  for (const query of queries) query.addEventListener("change", redraw);
  return () => queries.forEach((query) => query.removeEventListener("change", redraw));
}

export function swatch(index) {
  const line = svg("line", { x1: 0, x2: 24, y1: 5, y2: 5, class: `line-${index % COLOURS}`, "stroke-dasharray": dashOf(index).join(" ") });
  return svg("svg", { class: "swatch", viewBox: "0 0 24 10", "aria-hidden": "true" }, line);
}

export function axes(xs) {
  const whole = xs.every(Number.isInteger);
  const one = () => ({ stroke: sheet("--quiet"), grid: { stroke: sheet("--line"), width: 1 }, ticks: { stroke: sheet("--line"), width: 1 } });
  return [{ ...one(), incrs: whole ? WHOLE : undefined }, { ...one(), size: 62, values: (_plot, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) }];
}

// `show(lines, options)`: lines are {name, index, xs, ys}; several of one name are the segments of one series and have one
// colour, that of `index`. options: {log, smoothing}.
export function linePlot(title, xName = "step") {
  const box = el("div", { class: "canvas", tabindex: 0, role: "slider", "aria-label": `${title}: values by ${xName}; arrow keys move along` });
  const legend = el("ul", { class: "legend" });
  const note = el("p", { class: "quiet" });
  const head = el("tr");
  const body = el("tbody");
  const caption = el("caption", {}, title);
  const named = el("figcaption", {}, title);
  const details = el("details", {}, el("summary", {}, "Values as a table"), el("div", { class: "table short", tabindex: 0, role: "region", "aria-label": `Values of ${title}` }, el("table", {}, caption, el("thead", {}, head), body)));
  const node = el("figure", { class: "card plotted" }, named, box, legend, note, details);
  let plot = null;
  let shown = { lines: [], names: [], data: [[]], options: {} };
  let at = null;
  let drawing = null;
  let shape = "";

  const valueOf = (name, index) => {
    for (const [place, line] of shown.lines.entries()) {
      const value = line.name === name ? shown.data[place + 1][index] : null;
      if (value !== null && value !== undefined) return value;
    }
    return null;
  };

  function words() {
    const last = shown.data[0].length - 1;
    const place = Math.min(at ?? last, last);
    shown.names.forEach((name, index) => { legend.children[index].lastChild.textContent = number(valueOf(name, place)); });
    const x = shown.data[0][place];
    box.setAttribute("aria-valuemin", 0);
    box.setAttribute("aria-valuemax", Math.max(last, 0));
    box.setAttribute("aria-valuenow", Math.max(place, 0));
    box.setAttribute("aria-valuetext", x === undefined ? "no values" : `${xName} ${number(x)}: ${shown.names.map((name) => `${name} ${number(valueOf(name, place))}`).join(", ")}`);
  }

  function fillTable() {
    if (!details.open) return;
    const [xs] = shown.data;
    const chosen = some([...xs.keys()], ROWS);
    caption.textContent = chosen.length < xs.length ? `${title}: ${chosen.length} of ${xs.length} points, evenly chosen` : title;
    head.replaceChildren(el("th", { scope: "col" }, xName), ...shown.names.map((name) => el("th", { scope: "col" }, name)));
    body.replaceChildren(...chosen.map((index) => el("tr", {}, el("th", { scope: "row" }, number(xs[index])),
      shown.names.map((name) => el("td", { class: "number" }, number(valueOf(name, index)))))));
  }

  async function draw() {
    drawing = null;
    const Plot = await uPlot();
    if (!node.isConnected || box.clientWidth === 0) return;
    const { lines, data, options } = shown;
    const now = JSON.stringify([lines.map((line) => [line.name, line.index]), options.log]);
    if (plot && now === shape) {
      plot.setData(data);
      return;
    }
    shape = now;
    plot?.destroy();
    plot = new Plot({
      width: box.clientWidth, height: HEIGHT, legend: { show: false }, axes: axes(data[0]),
      scales: { x: { time: false }, y: { distr: options.log ? 3 : 1 } },
      cursor: { y: false, drag: { x: true, y: false } },
      series: [{}, ...lines.map((line) => ({ stroke: colourOf(line.index), dash: dashOf(line.index), width: 1.75, spanGaps: false, points: { size: 4 } }))],
      hooks: { setCursor: [(one) => { if (one.cursor.idx !== at && one.cursor.idx !== null) { at = one.cursor.idx; words(); } }] },
    }, data, box);
  }

  const soon = () => { drawing ??= requestAnimationFrame(() => draw().catch((error) => { note.textContent = `The plot cannot be drawn: ${error.message}`; })); };
  const anew = () => { shape = ""; soon(); };
  const sizes = new ResizeObserver(() => (plot ? plot.setSize({ width: Math.max(box.clientWidth, 50), height: HEIGHT }) : soon()));
  const colours = whenColoursChange(anew);
  sizes.observe(box);
  details.addEventListener("toggle", fillTable);
  box.addEventListener("keydown", (event) => {
    const by = KEYS[event.key];
    const last = shown.data[0].length - 1;
    if (by === undefined || last < 0) return;
    event.preventDefault();
    at = Math.max(0, Math.min(last, (at ?? last) + by));
    plot?.setCursor({ left: plot.valToPos(shown.data[0][at], "x"), top: 10 }, false);
    words();
  });

  function show(lines, options = {}) {
    if (options.title && options.title !== named.textContent) named.textContent = caption.textContent = title = options.title;
    const ready = lines.map((line) => {
      const values = smoothed(line.ys, options.smoothing);
      return { ...line, ys: options.log ? positive(values) : values };
    });
    const names = [...new Map(ready.map((line) => [line.name, line.index]))];
    shown = { lines: ready, names: names.map(([name]) => name), data: aligned(ready), options };
    if (at !== null && at >= shown.data[0].length) at = null;
    legend.replaceChildren(...names.map(([name, index]) => el("li", {}, swatch(index), el("span", {}, name), " ", el("output", {}, ""))));
    const left = options.log && lines.some((line) => line.ys.some((value) => value !== null && value <= 0));
    note.textContent = left ? "Values of 0 and below are not shown on a logarithmic scale." : "";
    words();
    fillTable();
    soon();
  }

  return { node, show, stop: () => { sizes.disconnect(); colours(); cancelAnimationFrame(drawing); plot?.destroy(); plot = null; } };
}
