// The states that a job went through, from its events: as a bar, and as a list with how long each took.

import { el, svg } from "./dom.js";
import { clock, moment, running, span } from "./format.js";

const STATUS = { pending: "waits", uploading: "is handed over", queued: "waits at the provider", running: "runs", completed: "completed", failed: "failed", cancelled: "cancelled" };
const ENDS = ["completed", "failed", "cancelled"];
// Events that say more than the job's new status does.
const BY_TYPE = {
  approval_requested: "waits for approval", approval_granted: "waits", job_rerun: "waits to run again", job_outcome_unknown: "may have been accepted",
  job_uncertain: "is uncertain", job_cancel_requested: "is asked to end",
};
const KINDS = { "waits for approval": "blocked", waits: "pending", "waits to run again": "pending", "is handed over": "uploading", "waits at the provider": "uploading", runs: "running" };

// [{word, from, to (null: it lasts), ended}], each in milliseconds since 1970.
export function phasesOf(events) {
  const phases = [];
  let status = null;
  for (const event of events) {
    const word = BY_TYPE[event.type] ?? (event.status === status ? null : STATUS[event.status]);
    status = event.status ?? status;
    const at = Date.parse(event.time);
    const last = phases.at(-1);
    if (!word || last?.word === word || (last?.ended && word !== "waits to run again")) continue;
    if (last) last.to = at;
    phases.push({ word, from: at, to: null, ended: ENDS.includes(word) });
  }
  if (phases.at(-1)?.ended) phases.at(-1).to = phases.at(-1).from;
  return phases;
}

export function timelineOf() {
  const bar = svg("svg", { class: "timeline", viewBox: "0 0 1000 12", preserveAspectRatio: "none", "aria-hidden": "true" });
  const body = el("tbody");
  const table = el("table", {}, el("caption", {}, "States and how long each lasted"), el("thead", {}, el("tr", {}, ["State", "From", "Lasted"].map((name) => el("th", { scope: "col" }, name)))), body);
  const node = el("div", {}, bar, el("div", { class: "table" }, table));
  let shown = "";

  function show(events, now = Date.now()) {
    const phases = phasesOf(events);
    node.hidden = phases.length === 0;
    const begin = phases[0]?.from ?? now;
    const end = phases.at(-1)?.to ?? now;
    const whole = Math.max(end - begin, 1);
    bar.replaceChildren(...phases.filter((one) => !one.ended).map((one) => svg("rect", { class: KINDS[one.word] ?? "other", x: ((one.from - begin) / whole) * 1000, width: (((one.to ?? now) - one.from) / whole) * 1000, y: 0, height: 12 })));
    const print = JSON.stringify(phases);
    if (print === shown) return;
    shown = print;
    body.replaceChildren(...phases.map((one) => {
      const from = new Date(one.from).toISOString();
      return el("tr", {}, el("th", { scope: "row" }, el("span", { class: `mark ${KINDS[one.word] ?? (one.ended ? "ended" : "other")}`, "aria-hidden": "true" }), one.word), el("td", { class: "number" }, el("time", { datetime: from, title: moment(from) }, clock(from))),
        el("td", { class: "number" }, one.ended ? "" : one.to === null ? running(from) : span((one.to - one.from) / 1000)));
    }));
  }

  return { node, show };
}
