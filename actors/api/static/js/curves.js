// The curves of one job's series: a plot for each measure, or one for all.

import { get } from "./api.js";
import { cell, el, keyed, labelled, table } from "./dom.js";
import { linePlot } from "./line_plot.js";
import { byMeasure, number, segmentsOf } from "./points.js";

// Check boxes and numbers that change how plots are drawn; `changed` is called with {log, smoothing, together}.
// `together`: whether there is a choice of one plot for all.
export function plotOptions(changed, { together = true } = {}) {
  const options = { log: false, smoothing: 0, together: false };
  const box = (name, label) => {
    const input = el("input", { type: "checkbox" });
    input.addEventListener("change", () => { options[name] = input.checked; changed(options); });
    return el("label", { class: "choice" }, input, label);
  };
  const smoothing = el("input", { id: "smoothing", type: "range", min: 0, max: 0.99, step: 0.01, value: 0 });
  smoothing.addEventListener("input", () => { options.smoothing = Number(smoothing.value); changed(options); });
  return { options, node: el("div", { class: "filters" }, box("log", "Logarithmic scale"), together ? box("together", "One plot for all") : "", labelled("Smoothing", smoothing)) };
}

const ENDS = { last: "Last", min: "Least", max: "Greatest" };
const end = (point) => (point ? `${number(point[1])} at ${number(point[0])}` : "–");

function summary([name, one]) {
  return el("tr", {}, el("th", { scope: "row" }, name), Object.entries(ENDS).map(([which, label]) => cell(label, end(one[which]), "number")),
    cell("Not finite", one.non_finite || "", "number"));
}

export function curvesOf(jobId) {
  const plots = new Map();
  const list = el("div", { class: "plots" });
  const none = el("p", { class: "quiet" }, "It has reported no numbers.");
  const choices = plotOptions(() => draw());
  const ends = table("Last, least and greatest value of each series, and the step of each", ["Series", ...Object.values(ENDS), "Not finite"]);
  let series = {};

  function draw() {
    const names = Object.keys(series);
    none.hidden = names.length > 0;
    choices.node.hidden = list.hidden = ends.node.hidden = names.length === 0;
    keyed(ends.body, Object.entries(series).map(([name, one]) => [name, { ...one, points: null }]), ([name]) => name, summary);
    const wanted = choices.options.together && names.length ? [{ title: "All series", names }] : byMeasure(names);
    for (const [title, plot] of plots) {
      if (wanted.some((one) => one.title === title)) continue;
      plot.stop();
      plot.node.remove();
      plots.delete(title);
    }
    for (const { title, names: members } of wanted) {
      if (!plots.has(title)) plots.set(title, linePlot(title));
      const plot = plots.get(title);
      if (!plot.node.isConnected) list.append(plot.node);
      plot.show(members.flatMap((name, index) => segmentsOf(series[name].points).map(([xs, ys]) => ({ name, index, xs, ys }))), choices.options);
    }
  }

  async function refresh() {
    ({ series } = await get(`/api/jobs/${encodeURIComponent(jobId)}/metrics`));
    draw();
  }

  draw();
  return { node: el("div", {}, none, choices.node, list, ends.node), refresh, stop: () => plots.forEach((plot) => plot.stop()) };
}
