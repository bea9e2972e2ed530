// What waits and why, what is kept and paused, and how much of each limit is in use.

import { get, getPages } from "./api.js";
import { button, cell, el, gauge, keyed, table } from "./dom.js";
import { jobName, jobPath, owner, span } from "./format.js";
import { gatesOf } from "./gates.js";
import { everyLimit, limitsTable } from "./limits.js";
import { oncePerFrame } from "./pace.js";
import { waitingTable } from "./waiting.js";

const RUNNING = 5_000; // milliseconds between two looks at what runs
const BOUNDS = 5_000; // and at limits and providers

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

function usage(queue, jobs) {
  const limit = Object.fromEntries(queue.limits.map((one) => [one.name, one.value]));
  const rows = [["Everybody", queue.running, limit.total]];
  for (const [field, word, each] of [["user_id", "user", limit.per_user], ["org_id", "organisation", limit.per_organisation], ["team_id", "team", limit.per_team]]) {
    for (const [name, number] of tally(jobs, field)) rows.push([`${word} ${name}`, number, each]);
  }
  for (const [name, number] of tally(jobs, "provider")) rows.push([`provider ${name}`, number, limit[`per_provider.${name}`]]);
  return rows;
}

// The one that presumably starts first, which is not always the first in the order.
function nextOf(jobs) {
  const known = jobs.filter((job) => job.estimate_seconds !== null);
  return known.length ? known.reduce((first, job) => (job.estimate_seconds < first.estimate_seconds ? job : first)) : null;
}

const inNext = (job) => el("p", {}, "Presumably next: ", el("a", { href: jobPath(job.job_id) }, jobName(job)), job.estimate_seconds < 1 ? ", now." : `, in about ${span(job.estimate_seconds)}.`);

const kept = (one) => el("li", {}, `${one.provider}: `, one.job_id ? el("a", { href: jobPath(one.job_id) }, one.text) : one.text);

const atProvider = (job) => el("tr", {}, el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id) }, jobName(job))),
  cell("User", owner(job), "user"), cell("Provider", job.provider), cell("", job.reason ?? "", "wide"));

export function queueView(model) {
  const summary = el("p");
  const next = el("div");
  const reserved = el("section", {}, el("h2", {}, "Kept free"), el("ul", { class: "reasons" }));
  const handed = table("Handed over, and waiting at their providers", ["Job", "User", "Provider", "Why it waits"]);
  const used = table("Running, beside the limits", ["Whose", "In use", "Jobs"], false);
  const more = button("Show more of what waits", () => { pages += 1; ask(); });
  const list = waitingTable({ changed: read, lost: () => document.getElementById("main").focus() });
  const gates = gatesOf({ changed: (found) => { take(found); model.pace.ask(read); } });
  const limits = limitsTable({ changed: (found) => { limit = found.limits; draw(); model.pace.ask(read); } });
  const draw = oncePerFrame(show);
  let pages = 1;
  let queue = null;
  let running = [];
  let limit = null;
  let providers = [];
  let seen = null;

  function show() {
    if (!queue) return;
    summary.textContent = queue.summary;
    gates.show(queue, providers);
    if (limit) limits.show(everyLimit(limit, providers));
    keyed(used.body, usage(queue, running), (row) => row[0], bar);
    keyed(reserved.lastChild, queue.reservations, (one) => `${one.provider} ${one.text}`, kept);
    reserved.hidden = queue.reservations.length === 0;
    keyed(handed.body, queue.at_providers, (job) => job.job_id, atProvider);
    handed.node.hidden = queue.at_providers.length === 0;
    const first = nextOf(queue.waiting);
    keyed(next, first ? [first] : [], (job) => job.job_id, inNext);
    list.show(queue.waiting);
    more.hidden = queue.next === null;
  }

  // An answer to a change has the first page only.
  function take(found) {
    queue = pages === 1 || !queue ? found : { ...found, waiting: queue.waiting, next: queue.next };
    draw();
  }

  async function read() {
    const first = queue === null;
    queue = await getPages("/api/queue", "waiting", pages);
    draw();
    if (first) return;
    model.pace.ask(readRunning, RUNNING);
    model.pace.ask(readLimits, BOUNDS);
    model.pace.ask(readProviders, BOUNDS);
  }

  async function readRunning() {
    running = (await model.load("status=uploading&status=queued&status=running&limit=500")).jobs;
    draw();
  }

  async function readLimits() {
    limit = (await get("/api/queue/limits")).limits;
    draw();
  }

  async function readProviders() {
    providers = (await get("/api/providers")).providers.map((one) => one.name);
    draw();
  }

  const ask = () => read().catch((error) => model.fault(error));

  function update() {
    if (model.events.at(-1)?.seq === seen) return;
    seen = model.events.at(-1)?.seq;
    model.pace.ask(read);
  }

  const all = () => Promise.all([read(), readRunning(), readLimits(), readProviders()]).catch((error) => model.fault(error));
  const node = el("div", {}, el("h1", {}, "Queue"), summary, next, gates.node, used.node, limits.node, reserved, handed.node, list.node, more);
  return { node, update, refresh: () => (queue ? model.pace.ask(read) : all()), leave: () => draw.cancel() };
}
