// What waits and why, and how much of each limit is in use.

import { get } from "./api.js";
import { cell, el, keyed, table } from "./dom.js";
import { between, jobName, span } from "./format.js";

function tally(jobs, field) {
  const counts = new Map();
  for (const job of jobs) {
    const name = job[field];
    if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function bar([name, number, limit]) {
  return el("tr", {}, el("th", { scope: "row" }, name),
    cell("", limit ? el("meter", { min: 0, max: limit, value: Math.min(number, limit), high: limit - 0.5, "aria-label": `${name}: ${number} of ${limit}` }) : ""),
    cell("", limit ? `${number} of ${limit}` : `${number}`, "number"));
}

function waiting(job) {
  return el("tr", {},
    cell("Place", job.position === null || job.position === undefined ? "" : job.position, "number"),
    el("th", { scope: "row" }, el("a", { href: `#/jobs/${encodeURIComponent(job.job_id)}` }, jobName(job))),
    cell("User", job.org_id ? `${job.user_id}, ${job.org_id}` : job.user_id),
    cell("Priority", job.priority, "number"),
    cell("Waits", span(between(job.queued_at, null)), "number"),
    cell("Starts in about", span(job.estimate_seconds), "number"),
    cell("", `${job.reason ?? ""}${job.setting ? ` (${job.setting})` : ""}`, "wide"));
}

export function queueView(model) {
  const summary = el("p");
  const list = table("Waiting, in the order in which they would run", ["Place", "Job", "User", "Priority", "Waits", "Starts in about", "Why it waits, and what changes that"]);
  const limits = table("Running, beside the limits", ["Whose", "In use", "Jobs"], false);
  let seen = -1;

  async function refresh() {
    const queue = await get("/api/queue");
    const limit = Object.fromEntries((queue.limits ?? []).map((one) => [one.name, one.value]));
    const running = [...model.jobs.values()].filter((job) => job.queue_status === "running");
    summary.textContent = queue.summary;
    keyed(list.body, queue.waiting, (job) => job.job_id, waiting);
    const rows = [["Everybody", queue.running ?? running.length, limit.total]];
    for (const [name, number] of tally(running, "user_id")) rows.push([`user ${name}`, number, limit.per_user]);
    for (const [name, number] of tally(running, "org_id")) rows.push([`organisation ${name}`, number, limit.per_organisation]);
    for (const [name, number] of tally(running, "provider")) rows.push([`provider ${name}`, number, limit[`per_provider.${name}`]]);
    keyed(limits.body, rows, (row) => row[0], bar);
  }

  function update() {
    if (model.live.last === seen) return;
    seen = model.live.last;
    refresh().catch((error) => model.fault(error));
  }

  return { node: el("div", {}, el("h1", {}, "Queue"), summary, limits.node, list.node), update };
}
