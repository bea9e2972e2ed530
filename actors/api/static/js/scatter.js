// A parameter against a series, a point for each job; drawn by uPlot, with the same as a table.

import { el } from "./dom.js";
import { axes, colourOf, uPlot, whenColoursChange } from "./line_plot.js";
import { number } from "./points.js";

const HEIGHT = 260; // pixels

// Room on both sides of the outermost points.
const spread = (log) => (_plot, least, most) => {
  if (log) return [least / 1.5, most * 1.5];
  const room = (most - least || Math.abs(most) || 1) * 0.05;
  return [least - room, most + room];
};

// `show(points, xName, yName, log)`: points are {name, x, y}; an x that is a text has a place of its own on the axis.
export function scatter() {
  const title = el("figcaption", {}, "A parameter against a series");
  const box = el("div", { class: "canvas", "aria-hidden": "true" });
  const note = el("p", { class: "quiet" });
  const head = el("tr");
  const body = el("tbody");
  const details = el("details", {}, el("summary", {}, "Points as a table"), el("div", { class: "table short", tabindex: 0, role: "region", "aria-label": "Points" },
    el("table", {}, el("caption", {}, "Points"), el("thead", {}, head), body)));
  const node = el("figure", { class: "card plotted" }, title, box, note, details);
  let plot = null;
  let shown = null;
  let drawing = null;

  async function draw() {
    drawing = null;
    const Plot = await uPlot();
    plot?.destroy();
    plot = null;
    if (!shown || shown.points.length === 0 || !node.isConnected || box.clientWidth === 0) return;
    const { points, names, log } = shown;
    const [x, y] = axes(names ? [0.5] : points.map((point) => point.x));
    const labels = { ...x, splits: () => names?.map((_, place) => place), values: (_plot, ticks) => ticks.map((tick) => names?.[tick] ?? "") };
    plot = new Plot({
      width: box.clientWidth, height: HEIGHT, legend: { show: false }, axes: [names ? labels : x, y], cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false, distr: log && !names ? 3 : 1, range: names ? [-0.5, names.length - 0.5] : spread(log) }, y: {} },
      series: [{}, { stroke: colourOf(0), fill: colourOf(0), paths: () => null, points: { show: true, size: 8, fill: colourOf(0) } }],
      hooks: { setCursor: [(one) => { const point = points[one.cursor.idx]; note.textContent = point ? sentence(point) : ""; }] },
    }, [points.map((point) => point.x), points.map((point) => point.y)], box);
  }

  const sentence = (point) => `${point.name}: ${shown.xName} ${point.text}, ${shown.yName} ${number(point.y)}`;
  const soon = () => { drawing ??= requestAnimationFrame(() => draw().catch((error) => { note.textContent = `The plot cannot be drawn: ${error.message}`; })); };
  const sizes = new ResizeObserver(() => (plot ? plot.setSize({ width: Math.max(box.clientWidth, 50), height: HEIGHT }) : soon()));
  const colours = whenColoursChange(soon);
  sizes.observe(box);

  function fillTable() {
    if (!details.open || !shown) return;
    head.replaceChildren(...["Job", shown.xName, shown.yName].map((name) => el("th", { scope: "col" }, name)));
    body.replaceChildren(...shown.points.map((point) => el("tr", {}, el("th", { scope: "row" }, point.name), el("td", { class: "number" }, point.text), el("td", { class: "number" }, number(point.y)))));
  }

  details.addEventListener("toggle", fillTable);

  function show(points, xName, yName, log) {
    const texts = points.some((point) => typeof point.x !== "number");
    const names = texts ? [...new Set(points.map((point) => String(point.x)))].sort() : null;
    const placed = points.filter((point) => point.y !== null && (texts || !log || point.x > 0)).map((point) => ({ ...point, text: String(point.x), x: texts ? names.indexOf(String(point.x)) : point.x }));
    placed.sort((a, b) => a.x - b.x);
    const next = { points: placed, names, xName, yName, log };
    if (JSON.stringify(next) === JSON.stringify(shown)) return;
    shown = next;
    title.textContent = `${yName} by ${xName}`;
    note.textContent = placed.length ? "" : "No job has both values.";
    fillTable();
    soon();
  }

  return { node, show, stop: () => { sizes.disconnect(); colours(); cancelAnimationFrame(drawing); plot?.destroy(); plot = null; } };
}
