// What waits and why, and how much of each limit is in use.

import { getPages, post } from "./api.js";
import { button, cell, el, gauge, keyed, table, announce } from "./dom.js";
import { jobName, jobPath, owner, running, span } from "./format.js";
import { allowed } from "./rights.js";

const RUNNING = 5_000; // milliseconds between two looks at what runs
const WAITING = ["Place", "Job", "User", "Priority", "Waits", "Starts in about", "Why it waits, and what changes that"];

function tally(jobs, field) {
  const counts = new Map();
  for (const job of jobs) if (job[field]) counts.set(job[field], (counts.get(job[field]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function bar([name, number, limit]) {
  const limited = Number.isInteger(limit);
  return el("tr", {}, el("th", { scope: "row" }, name),
    cell("", limited ? gauge("meter", `${name}: ${number} of ${limit}`, number, limit) : ""),
    cell("", limited ? `${number} of ${limit}` : `${number}`, "number"));
}

function waiting(job) {
  return el("tr", {}, cell("Place", job.position === null ? "" : job.position + 1, "number"),
    el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id) }, jobName(job))),
    cell("User", owner(job), "user"), cell("Priority", job.priority, "number"), cell("Waits", running(job.queued_at), "number"),
    cell("Starts in about", span(job.estimate_seconds), "number"),
    cell("", `${job.reason ?? ""}${job.setting ? ` (${job.setting})` : ""}`, "wide"));
}

function usage(queue, jobs) {
  const limit = Object.fromEntries(queue.limits.map((one) => [one.name, one.value]));
  const rows = [["Everybody", queue.running, limit.total]];
  for (const [field, word, each] of [["user_id", "user", limit.per_user], ["org_id", "organisation", limit.per_organisation], ["team_id", "team", limit.per_team]]) {
    for (const [name, number] of tally(jobs, field)) rows.push([`${word} ${name}`, number, each]);
  }
  for (const [name, number] of tally(jobs, "provider")) rows.push([`provider ${name}`, number, limit[`per_provider.${name}`]]);
  return rows;
}

export function queueView(model) {
  const summary = el("p");
  const gates = el("div");
  const list = table("Waiting, in the order in which they would run", WAITING);
  const limits = table("Running, beside the limits", ["Whose", "In use", "Jobs"], false);
  const more = button("Show more of what waits", () => { pages += 1; ask(); });
  let pages = 1;
  let queue = null;
  let running = [];
  let seen = null;

  async function set(word, body) {
    try {
      show(await post(`/api/queue/${word}`, body));
      announce(word === "pause" ? "Paused" : "Resumed");
    } catch (error) {
      model.fault(error);
    }
  }

  function gate([name, why]) {
    const body = name === "" ? {} : { provider: name };
    const what = name === "" ? "the queue" : name;
    const change = why === null ? button("Pause", () => set("pause", body), "", `Pause ${what}`) : button("Resume", () => set("resume", body), "main", `Resume ${what}`);
    return el("p", { class: "actions" }, why === null ? "" : el("strong", {}, name === "" ? why : `${name}: ${why}`), allowed("admin", "Pausing", change));
  }

  function show(found) {
    queue = found;
    summary.textContent = queue.summary;
    keyed(gates, [["", queue.paused], ...Object.entries(queue.closed_providers)], ([name]) => `gate ${name}`, gate);
    keyed(list.body, queue.waiting, (job) => job.job_id, waiting);
    list.node.hidden = queue.waiting.length === 0;
    more.hidden = queue.next === null;
    keyed(limits.body, usage(queue, running), (row) => row[0], bar);
  }

  async function read() {
    const first = queue === null;
    show(await getPages("/api/queue", "waiting", pages));
    if (!first) model.pace.ask(readRunning, RUNNING);
  }

  async function readRunning() {
    running = (await model.load("status=uploading&status=queued&status=running&limit=500")).jobs;
    if (queue) show(queue);
  }

  const ask = () => read().catch((error) => model.fault(error));

  function update() {
    if (model.events.at(-1)?.seq === seen) return;
    seen = model.events.at(-1)?.seq;
    model.pace.ask(read);
  }

  return { node: el("div", {}, el("h1", {}, "Queue"), summary, gates, limits.node, list.node, more), update, refresh: () => (queue ? model.pace.ask(read) : Promise.all([read(), readRunning()]).catch((error) => model.fault(error))) };
}
