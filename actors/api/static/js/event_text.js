// An event in words.

import { el } from "./dom.js";
import { clock, measures, moment } from "./format.js";

const ABOUT = new Set(["seq", "time", "type", "job_id", "correlation_id", "cycle_id", "status", "user_id"]);
const WORDS = { job_queued: "job submitted" };

export function details(event) {
  const more = Object.entries(event)
    .filter(([name, value]) => !ABOUT.has(name) && value !== null && typeof value !== "object")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${name.endsWith("_at") ? moment(value) : value}`);
  return [measures(event.progress), ...more].filter(Boolean).join(" · ");
}

export function words(event) {
  if (event.type === "job_status_changed") return `job is now ${event.status}`;
  return WORDS[event.type] ?? event.type.replaceAll("_", " ");
}

export function when(event) {
  return el("time", { datetime: event.time, title: moment(event.time) }, clock(event.time));
}
