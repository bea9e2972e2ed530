// How busy it was in the last hour: three small charts, and the same as a table.

import { el } from "./dom.js";
import { clock } from "./format.js";
import { colourOf, sheet, uPlot, whenColoursChange } from "./line_plot.js";

const HEIGHT = 84; // pixels
const NARROW = 160; // pixels in which there is no room for axes
const COLUMNS = ["Until", "Completed", "Failed", "Cancelled", "Waiting", "Running"];

const ended = (minute) => minute.completed + minute.failed + minute.cancelled;

function chart(title, bars) {
  const box = el("div", { class: "canvas small", "aria-hidden": "true" });
  const words = el("p", { class: "quiet" });
  let plot = null;
  let wide = false;
  let data = null;
  let Plot = null;

  function make() {
    plot?.destroy();
    if (!Plot || !data || box.clientWidth === 0) return;
    wide = box.clientWidth > NARROW;
    const axis = { show: wide, stroke: sheet("--quiet"), grid: { show: false }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    plot = new Plot({
      width: box.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      scales: { y: { range: (_plot, _least, most) => [0, Math.max(most, 1)] } },
      axes: [{ ...axis, size: 22, space: 60, values: (_plot, times) => times.map((time) => clock(new Date(time * 1000)).slice(0, 5)) }, { ...axis, size: 34, space: 20, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] }],
      series: [{}, { stroke: colourOf(bars ? 0 : 2), fill: bars ? colourOf(0) : undefined, width: bars ? 0 : 1.75, points: { show: false }, paths: bars ? Plot.paths.bars({ size: [0.8, 20], align: -1 }) : Plot.paths.stepped({ align: -1 }) }],
    }, data, box);
  }

  const sizes = new ResizeObserver(() => {
    if (plot && wide === box.clientWidth > NARROW) plot.setSize({ width: Math.max(box.clientWidth, 50), height: HEIGHT });
    else make();
  });
  sizes.observe(box);
  const colours = whenColoursChange(make);
  uPlot().then((found) => { Plot = found; make(); }, () => {}); // the words below stand there in any case

  function show(times, values, text) {
    data = [times, values];
    words.textContent = text;
    if (plot) plot.setData(data);
    else make();
  }

  return { node: el("section", { class: "card" }, el("h2", {}, title), box, words), show, stop: () => { sizes.disconnect(); colours(); plot?.destroy(); plot = null; } };
}

export function activityOf() {
  const charts = [chart("Ended in each minute", true), chart("Waiting", false), chart("Running", false)];
  const body = el("tbody");
  const inner = el("table", {}, el("caption", {}, "What ended in each minute of the last hour, and what waited and ran at its end"),
    el("thead", {}, el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name)))), body);
  const details = el("details", {}, el("summary", {}, "The last hour as a table"), el("div", { class: "table short", tabindex: 0, role: "region", "aria-label": "The last hour" }, inner));
  let shown = null;

  function fillTable() {
    if (!details.open || !shown) return;
    const from = Date.parse(shown.begins_at);
    body.replaceChildren(...shown.minutes.map((minute, index) => el("tr", {}, el("th", { scope: "row" }, clock(new Date(from + (index + 1) * 60_000).toISOString())),
      ["completed", "failed", "cancelled", "waiting", "running"].map((name) => el("td", { class: "number" }, minute[name])))).reverse());
  }

  function show(activity) {
    if (activity === shown) return;
    shown = activity;
    const { minutes } = activity;
    const from = Date.parse(activity.begins_at) / 1000;
    const times = minutes.map((_, index) => from + (index + 1) * 60);
    const sum = (name) => minutes.reduce((all, minute) => all + minute[name], 0);
    const all = minutes.reduce((total, minute) => total + ended(minute), 0);
    charts[0].show(times, minutes.map(ended), all === 0 ? "None in the last hour." : `${all} in the last hour: ${sum("completed")} completed, ${sum("failed")} failed, ${sum("cancelled")} cancelled.`);
    charts[1].show(times, minutes.map((minute) => minute.waiting), `${activity.waiting} now${activity.blocked ? `, ${activity.blocked} of them for an approval` : ""}.`);
    charts[2].show(times, minutes.map((minute) => minute.running), `${activity.running} now.`);
    fillTable();
  }

  details.addEventListener("toggle", fillTable);
  return { node: el("div", {}, el("div", { class: "cards busy" }, charts.map((one) => one.node)), details), show, stop: () => charts.forEach((one) => one.stop()) };
}
