// What waits, in the order in which it would run: why each waits, when it presumably starts, and its priority, which a lead
// changes in its row. Rows stay while their jobs wait, so an update or another order takes away neither focus nor what is typed.

import { put } from "./api.js";
import { cell, el, keyed, table } from "./dom.js";
import { clock, jobName, jobPath, owner, running, span } from "./format.js";
import { asTyped, inPlace, setText } from "./in_place.js";
import { may } from "./rights.js";

const COLUMNS = ["Place", "Job", "User", "Priority", "Waits", "Starts in about", "Why it waits, and what changes that"];

const minute = (text) => clock(text).slice(0, 5);

function between(estimate) {
  if (!estimate?.earliest || !estimate.latest) return "";
  const [from, to] = [minute(estimate.earliest), minute(estimate.latest)];
  return from === to ? `at ${from}` : `${from} to ${to}`;
}

function priorityOf(job, changed) {
  if (!may("lead")) {
    const node = el("span");
    return { node, update: (now) => setText(node, String(now.priority)) };
  }
  const path = `/api/queue/${encodeURIComponent(job.job_id)}/priority`;
  const send = async (value) => { await put(path, { priority_override: value }); await changed(); };
  const name = jobName(job);
  const editor = inPlace({
    label: `Priority of ${name}`,
    hint: "0 to 50",
    save: (text) => send(asTyped(text)),
    reset: { word: "Reset", done: `${name} has the priority of its user's level`, act: () => send(null) },
  });
  return { node: editor.node, update: (now) => editor.update(String(now.priority), now.priority_override !== null) };
}

function rowOf(job, changed) {
  const place = cell("Place", "", "number");
  const since = cell("Waits", "", "number");
  const starts = cell("Starts in about", "", "number starts");
  const why = cell("", "", "wide");
  const priority = priorityOf(job, changed);
  let queued = null;

  function update(now) {
    setText(place, now.position === null ? "" : String(now.position + 1));
    if (queued !== now.queued_at) since.replaceChildren(running(now.queued_at));
    queued = now.queued_at;
    const words = [span(now.estimate_seconds), between(now.estimated_start)].filter(Boolean).join(", ");
    setText(starts, words);
    setText(why, `${now.reason ?? ""}${now.setting ? ` (${now.setting})` : ""}`);
    priority.update(now);
  }

  const node = el("tr", {}, place, el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id) }, jobName(job))), cell("User", owner(job), "user"),
    cell("Priority", priority.node), since, starts, why);
  return { node, update };
}

// `changed()` is awaited after a priority was changed; `lost()` is called where the row that had the focus has gone.
export function waitingTable({ changed, lost }) {
  const list = table("Waiting, in the order in which they would run", COLUMNS);
  const rows = new Map();

  function show(jobs) {
    const focused = list.body.contains(document.activeElement) ? document.activeElement : null;
    const kept = new Set(jobs.map((job) => job.job_id));
    for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
    keyed(list.body, jobs.map((job) => job.job_id), (id) => id, (id) => {
      rows.set(id, rowOf(jobs.find((job) => job.job_id === id), changed));
      return rows.get(id).node;
    });
    for (const job of jobs) rows.get(job.job_id).update(job);
    list.node.hidden = jobs.length === 0;
    if (!focused || focused === document.activeElement) return;
    if (focused.isConnected) focused.focus({ preventScroll: true });
    else lost();
  }

  return { node: list.node, show };
}
