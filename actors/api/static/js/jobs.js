// All jobs, newest first, with their live progress; and two small plots of how the work flows.

import { cell, el, keyed, state, table } from "./dom.js";
import { between, clock, fraction, jobName, jobState, measures, span } from "./format.js";
import { bars } from "./plots.js";

const COLUMNS = ["Job", "State", "User", "Progress", "Waited", "Ran", "Told"];
const WORDS = ["all", "waits", "running", "completed", "failed", "cancelled"];

export function progressOf(job) {
  const part = fraction(job.progress);
  if (job.completed_at || !job.progress) return "";
  return [part === null ? "" : el("progress", { max: 1, value: part, "aria-label": `Progress of ${jobName(job)}` }), " ", el("span", { class: "quiet" }, measures(job.progress))];
}

function row(job) {
  const [word, kind] = jobState(job);
  return el("tr", {},
    el("th", { scope: "row" }, el("a", { href: `#/jobs/${encodeURIComponent(job.job_id)}` }, jobName(job))),
    cell("", state(word, kind)),
    cell("User", job.org_id ? `${job.user_id}, ${job.org_id}` : job.user_id),
    cell("", progressOf(job)),
    cell("Waited", span(between(job.queued_at, job.started_at ?? job.completed_at)), "number"),
    cell("Ran", job.started_at ? span(between(job.started_at, job.completed_at)) : "", "number"),
    cell("", job.error_message || job.reason || measures(job.result), "wide"));
}

function matches(job, filter) {
  if (filter.state === "waits" && job.status !== "pending") return false;
  if (!["all", "waits"].includes(filter.state) && job.status !== filter.state) return false;
  const text = `${jobName(job)} ${job.job_id} ${job.user_id} ${job.org_id ?? ""} ${job.provider}`.toLowerCase();
  return text.includes(filter.text.toLowerCase());
}

export function jobsView(model) {
  const filter = { state: "all", text: "" };
  const list = table("Jobs, newest first", COLUMNS);
  const count = el("p", { class: "quiet", role: "status" });
  const ends = bars("Jobs that ended, by minute of the last hour");
  const waits = bars("Seconds that jobs waited before they started, the last sixty");
  const select = el("select", { id: "state", onchange: () => { filter.state = select.value; update(); } }, WORDS.map((word) => el("option", { value: word }, word)));
  const search = el("input", { id: "search", type: "search", autocomplete: "off", oninput: () => { filter.text = search.value; update(); } });

  function update() {
    const jobs = [...model.jobs.values()].sort((a, b) => (a.job_id < b.job_id ? 1 : -1));
    const shown = jobs.filter((job) => matches(job, filter));
    keyed(list.body, shown.slice(0, 300), (job) => job.job_id, row);
    count.textContent = shown.length === jobs.length ? `${jobs.length} jobs` : `${shown.length} of ${jobs.length} jobs`;
    const now = Date.now();
    const minutes = Array.from({ length: 60 }, (_, index) => jobs.filter((job) => job.completed_at && Math.floor((now - Date.parse(job.completed_at)) / 60000) === 59 - index).length);
    ends.show(minutes, "an hour ago", "now");
    const started = jobs.filter((job) => job.started_at).slice(0, 60).reverse();
    waits.show(started.map((job) => Math.max(0, between(job.queued_at, job.started_at))), started.length ? clock(started[0].started_at) : "", started.length ? clock(started.at(-1).started_at) : "");
  }

  const node = el("div", {},
    el("h1", {}, "Jobs"),
    el("div", { class: "filters" }, el("label", { for: "state" }, "State", select), el("label", { for: "search" }, "Name, user, provider", search)),
    count, list.node,
    el("div", { class: "cards" }, ends.node, waits.node));
  return { node, update };
}
