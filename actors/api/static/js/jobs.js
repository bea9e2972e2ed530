// All jobs, newest first, with their live progress; and two small plots of throughput and waiting.

import { button, cell, el, gauge, keyed, state, table } from "./dom.js";
import { between, clock, ended, fraction, jobName, jobPath, jobState, measures, owner, span, took } from "./format.js";
import { bars } from "./plots.js";

const COLUMNS = ["Job", "State", "User", "Progress", "Waited", "Ran", "Message"];
const WORDS = ["all", "waits", "running", "completed", "failed", "cancelled"];
const SHOWN = 500;

export function progressOf(job) {
  if (ended(job) || !job.progress) return "";
  const part = fraction(job.progress);
  return [part === null ? "" : gauge("progressbar", `Progress of ${jobName(job)}`, Math.round(part * 100), 100), " ",
    el("span", { class: "quiet" }, measures(job.progress))];
}

function row(job) {
  const [word, kind] = jobState(job);
  return el("tr", {},
    el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id) }, jobName(job))),
    cell("", state(word, kind)), cell("User", owner(job), "user"), cell("", progressOf(job), "progress"),
    cell("Waited", took(job.queued_at, job.started_at ?? job.completed_at), "number"),
    cell("Ran", took(job.started_at, job.completed_at), "number"),
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
  const ends = bars("Jobs that ended, by minute of the last hour", (sum, most) => (sum ? `${sum} in all, at most ${most} in one minute` : "None ended."));
  const waits = bars("How long jobs waited before they started, the last sixty", (sum, most, all) => `${span(sum / all)} on average, ${span(most)} at the most`);
  const filtered = (field, source) => () => { filter[field] = source.value; update(); };
  const select = el("select", { id: "state" }, WORDS.map((word) => el("option", { value: word }, word)));
  const search = el("input", { id: "search", type: "search", autocomplete: "off" });
  const older = button("Show older jobs", () => model.loadOlder().catch((error) => model.fault(error)));
  select.addEventListener("change", filtered("state", select));
  search.addEventListener("input", filtered("text", search));

  function plots(jobs) {
    const now = Date.now();
    const minutes = Array(60).fill(0);
    for (const job of jobs) {
      const ago = job.completed_at ? Math.floor((now - Date.parse(job.completed_at)) / 60_000) : 60;
      if (ago >= 0 && ago < 60) minutes[59 - ago] += 1;
    }
    ends.show(minutes, "an hour ago", "now");
    const started = jobs.filter((job) => job.started_at).sort((a, b) => (a.started_at < b.started_at ? -1 : 1)).slice(-60);
    waits.show(started.map((job) => Math.max(0, between(job.queued_at, job.started_at))), clock(started[0]?.started_at), clock(started.at(-1)?.started_at));
  }

  function update() {
    const jobs = [...model.jobs.values()].sort((a, b) => (a.job_id < b.job_id ? 1 : -1));
    const shown = jobs.filter((job) => matches(job, filter));
    keyed(list.body, shown.slice(0, SHOWN), (job) => job.job_id, row);
    const among = model.older ? `the newest ${jobs.length} jobs` : `${jobs.length} jobs`;
    const words = shown.length === jobs.length ? among : `${shown.length} of ${among}`;
    if (count.textContent !== words) count.textContent = words;
    older.hidden = !model.older;
    plots(jobs);
  }

  const node = el("div", {},
    el("h1", {}, "Jobs"),
    el("div", { class: "filters" }, el("label", { for: "state" }, "State", select), el("label", { for: "search" }, "Name, user, provider", search)),
    count, list.node, older, el("div", { class: "cards" }, ends.node, waits.node));
  return { node, update };
}
