// A group of jobs side by side: parameters and series, curves of some of them in one plot, a parameter against a series.

import { get } from "./api.js";
import { columnsOf, fitting, nameOf, numeric, textOf } from "./comparison.js";
import { csvOf, download } from "./csv.js";
import { plotOptions } from "./curves.js";
import { announce, button, el, labelled } from "./dom.js";
import { linePlot } from "./line_plot.js";
import { oncePerFrame } from "./pace.js";
import { segmentsOf } from "./points.js";
import { scatter } from "./scatter.js";
import { groupTable } from "./group_table.js";

const PAGES = 5; // of a thousand jobs
const AT_FIRST = 5; // curves that are drawn before anybody chose
const MOST = 16; // curves in one plot
const POINTS = 300; // of each curve
const EVERY = 5_000; // milliseconds between two looks at a group that changes

function select(label, id, changed) {
  const node = el("select", { id });
  node.addEventListener("change", changed);
  // Of `wishes` the first that is among `values` is chosen.
  const show = (values, ...wishes) => {
    if ([...node.options].map((one) => one.value).join("\n") !== values.join("\n")) node.replaceChildren(...values.map((value) => el("option", { value }, value)));
    const chosen = wishes.find((one) => values.includes(one));
    if (chosen !== undefined) node.value = chosen;
  };
  return { node, label: labelled(label, node), show, get value() { return node.value; } };
}

const PICKED = ["filter", "sort", "order", "draw", "curve", "x", "y", "log"];

const pickedOf = (asked) => Object.fromEntries(PICKED.map((name) => [name, (asked.get(name) ?? "").slice(0, 1_000)]));

function addressOf(name, user, picked) {
  const given = Object.entries({ user, ...picked }).filter(([, value]) => value !== "");
  return `#/group/${encodeURIComponent(name)}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

// By the address; else the best is first, where a series has a goal.
function firstSort(columns, { sort, order }) {
  const goal = columns.find((one) => one.goal);
  const by = columns.find((one) => one.key === sort) ?? goal ?? columns[0];
  return { key: by.key, order: by.key === sort && order ? order : by.goal === "max" ? "desc" : "asc" };
}

export function groupView(model, name, asked) {
  const user = asked.get("user") ?? "";
  const path = `/api/compare?${new URLSearchParams({ group: name, ...(user ? { user_id: user } : {}) })}`;
  let jobs = [];
  let goals = {};
  let columns = columnsOf([], {});
  const picked = pickedOf(asked); // what stands in the address
  let sort = { key: "job", order: "asc" };
  let chosen = picked.draw ? new Set(picked.draw.split(",").slice(0, MOST)) : null; // ids, once somebody chose
  let found = false;
  const series = new Map(); // by job: its series, and the state in which they were read
  const draw = oncePerFrame(show);
  const filter = el("input", { id: "group-filter", type: "search", autocomplete: "off", maxlength: 200 });
  const note = el("p", { class: "quiet", role: "status" }, "Reading the jobs of the group ...");
  const table = groupTable({ sortBy, choose, chosen: (jobId) => drawn().includes(jobId), more: draw });
  const curve = select("Series", "curve-series", () => pick({ curve: curve.value }));
  const [across, up] = [select("Parameter", "scatter-x", () => pick({ x: across.value })), select("Series", "scatter-y", () => pick({ y: up.value }))];
  const logX = el("input", { type: "checkbox", checked: picked.log !== "" });
  const options = plotOptions(draw, { together: false });
  const curves = linePlot("Curves of the chosen jobs");
  const points = scatter();
  const asCsv = button("Download as CSV", () => download(`${name}.csv`, csvOf([columns.map((one) => one.label), ...shownJobs().map((job) => columns.map((one) => (one.kind === "series" ? one.of(job) : textOf(one, job))))])));
  filter.value = picked.filter;
  filter.addEventListener("input", () => pick({ filter: filter.value }));
  logX.addEventListener("change", () => pick({ log: logX.checked ? "x" : "" }));

  const shownJobs = () => fitting(jobs, columns, filter.value);
  const names = () => [...new Set(jobs.flatMap((job) => Object.keys(job.metrics)))].sort();

  // The ids of the jobs whose curves are drawn: those that were chosen, at first the best ones.
  function drawn() {
    if (chosen) return [...chosen];
    const goal = columns.find((one) => one.goal);
    return (goal ? jobs.filter((job) => goal.of(job) !== null).sort((a, b) => (goal.goal === "min" ? 1 : -1) * (goal.of(a) - goal.of(b))) : jobs).slice(0, AT_FIRST).map((job) => job.job_id);
  }

  // The name of a job, with the end of its id where another one has the same.
  const labelOf = (job) => (jobs.filter((one) => nameOf(one) === nameOf(job)).length > 1 ? `${nameOf(job)} (${job.job_id.slice(-6)})` : nameOf(job));

  function choose(job, on) {
    const next = new Set(drawn());
    if (on) next.add(job.job_id);
    else next.delete(job.job_id);
    if (next.size > MOST) announce(`At most ${MOST} curves are drawn in one plot.`);
    else chosen = next;
    model.pace.ask(readCurves);
    pick({ draw: chosen === null ? "" : [...chosen].join(",") });
  }

  // Puts into the address what somebody chose, so that the view can be sent to a colleague.
  function pick(change) {
    Object.assign(picked, change);
    history.replaceState(null, "", addressOf(name, user, picked));
    draw();
  }

  function sortInto(key, order) {
    sort = { key, order };
    pick({ sort: key, order });
  }

  function sortBy(column) {
    const first = column.goal === "max" ? "desc" : "asc";
    sortInto(column.key, sort.key === column.key && sort.order === first ? (first === "asc" ? "desc" : "asc") : first);
  }

  const byList = select("Sort by", "group-sort", () => sortInto(columns.find((one) => one.label === byList.value)?.key ?? "job", sort.order));
  const order = select("Order", "group-order", () => sortInto(sort.key, order.value === "ascending" ? "asc" : "desc"));

  async function read() {
    const rows = [];
    let answer = null;
    for (let page = 0; page < PAGES && answer?.next !== null; page += 1) {
      answer = await get(answer ? `${path}&cursor=${encodeURIComponent(answer.next)}` : path);
      rows.push(...answer.jobs);
      goals = { ...goals, ...answer.goals };
    }
    jobs = rows;
    columns = columnsOf(jobs, goals);
    if (!found) sort = firstSort(columns, picked);
    found = true;
    note.textContent = answer.next === null ? "" : `The first ${jobs.length} jobs.`;
    if (series.size === 0) await readCurves(AT_FIRST);
    else model.pace.ask(readCurves);
    draw();
  }

  // The series of jobs that have none yet, or whose last value changed since: at first of some, then of one in each turn.
  async function readCurves(number = 1) {
    const state = (jobId) => { const job = jobs.find((one) => one.job_id === jobId); return job && JSON.stringify([job.status, job.metrics]); };
    const missing = drawn().filter((jobId) => state(jobId) && series.get(jobId)?.state !== state(jobId));
    for (const jobId of missing.slice(0, number)) {
      const answer = await get(`/api/jobs/${encodeURIComponent(jobId)}/metrics?points=${POINTS}`);
      series.set(jobId, { state: state(jobId), series: answer.series });
    }
    if (missing.length > number) model.pace.ask(readCurves);
    draw();
  }

  function show() {
    if (!found) return;
    table.show(shownJobs(), columns, sort, jobs);
    byList.show(columns.map((one) => one.label), columns.find((one) => one.key === sort.key)?.label);
    order.show(["ascending", "descending"], sort.order === "asc" ? "ascending" : "descending");
    curve.show(names(), picked.curve, curve.value, Object.keys(goals)[0]);
    up.show(names(), picked.y, up.value, Object.keys(goals)[0]);
    across.show(columns.filter((one) => one.kind === "parameter").map((one) => one.name), picked.x, across.value);
    const lines = drawn().flatMap((jobId, index) => {
      const one = series.get(jobId)?.series[curve.value];
      const job = jobs.find((other) => other.job_id === jobId);
      return one && job ? segmentsOf(one.points).map(([xs, ys]) => ({ name: labelOf(job), index, xs, ys })) : [];
    });
    curves.show(lines, { ...options.options, title: curve.value ? `${curve.value} of the chosen jobs` : "" });
    const which = goals[up.value] ? "best" : "last";
    const both = jobs.map((job) => ({ name: nameOf(job), x: numeric(job.parameters[across.value]), y: job.metrics[up.value]?.[which] ?? null }));
    points.show(both.filter((one) => one.x !== null && one.x !== "" && one.y !== null), across.value, which === "best" ? `${up.value} (${goals[up.value] === "min" ? "least" : "greatest"})` : up.value, logX.checked);
    plots.hidden = names().length === 0;
    scattered.hidden = across.value === "" || names().length === 0;
  }

  function noted(event) {
    // An event does not say of which group a job is: a new one may be of this one.
    if (event.type === "job_queued" || jobs.some((job) => job.job_id === event.job_id)) model.pace.ask(read, EVERY);
  }

  function failed(error) {
    if (error.status === 404) note.textContent = "There are no jobs in this group.";
    else model.fault(error);
  }

  const scattered = el("section", {}, el("h2", {}, "A parameter against a series"), el("div", { class: "filters" }, across.label, up.label, el("label", { class: "choice" }, logX, "Logarithmic parameter")), points.node);
  const plots = el("section", {}, el("h2", {}, "Curves"), el("p", { class: "quiet" }, `Choose jobs in the table, at most ${MOST}; at first the best ones are drawn.`), el("div", { class: "filters" }, curve.label), options.node, curves.node);
  const node = el("div", {}, el("p", {}, el("a", { href: `#/jobs?${new URLSearchParams({ group: name, ...(user ? { user } : {}) })}` }, "Its jobs as a list")), el("h1", {}, `Group ${name}`), note,
    el("div", { class: "filters" }, labelled("Filter, such as lr=0.1 or failed", filter), byList.label, order.label, asCsv), table.node, plots, scattered);
  plots.hidden = scattered.hidden = true;
  const refresh = () => (found ? model.pace.ask(read) : read().catch(failed));
  return { node, update: () => {}, refresh, note: noted, leave: () => { draw.cancel(); curves.stop(); points.stop(); } };
}
