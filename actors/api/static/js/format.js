// Times and amounts as people read them.

import { el } from "./dom.js";

// Making a formatter takes a hundred times as long as using it.
const TIME = new Intl.DateTimeFormat([], { hour12: false, timeStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat([], { hour12: false, dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });

export function clock(text) {
  return text ? TIME.format(new Date(text)) : "";
}

export function moment(text) {
  return text ? MOMENT.format(new Date(text)) : "";
}

// A moment of today as a time, one of another day with its day.
export function shortly(text) {
  const day = new Date(text);
  return day.toDateString() === new Date().toDateString() ? TIME.format(day) : DAY.format(day);
}

export function span(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 360) / 10} h`;
  return `${Math.round(seconds / 8640) / 10} d`;
}

export function between(from, to) {
  return from ? (Date.parse(to ?? new Date().toISOString()) - Date.parse(from)) / 1000 : null;
}

// A span that ends, or begins, now: `tick` keeps it true without touching what stands around it.
export function running(from) {
  return el("span", { "data-from": from, title: moment(from) }, span(between(from, null)));
}

export function remaining(until) {
  return el("span", { "data-until": until, title: moment(until) }, span(-between(until, null)));
}

export function took(from, to) {
  if (!from) return "";
  return to ? span(between(from, to)) : running(from);
}

export function tick() {
  for (const node of document.querySelectorAll("[data-from]")) node.textContent = span(between(node.dataset.from, null));
  for (const node of document.querySelectorAll("[data-until]")) node.textContent = span(-between(node.dataset.until, null));
}

// What a job needs, such as `2 CPUs, 1 GPU, 8 GiB`.
export function needs(resources) {
  const counted = (number, name) => (number ? `${number} ${name}${number === 1 ? "" : "s"}` : "");
  const gib = resources.memory / 2 ** 30;
  const memory = resources.memory === null ? "" : gib >= 1 ? `${Math.round(gib * 10) / 10} GiB` : `${Math.ceil(gib * 1024)} MiB`;
  return [counted(resources.cpus, "CPU"), counted(resources.gpus, "GPU"), memory].filter(Boolean).join(", ");
}

export const jobPath = (jobId) => `#/jobs/${encodeURIComponent(jobId)}`;

export const groupPath = (name, user) => `#/group/${encodeURIComponent(name)}?${new URLSearchParams({ user })}`;

export function jobName(job) {
  return job.config_name || job.entry_point || (job.command ? job.command.join(" ") : null) || job.job_id;
}

export function owner(job) {
  return job.org_id ? `${job.user_id}, ${job.org_id}` : job.user_id;
}

export const ended = (job) => ["completed", "failed", "cancelled"].includes(job.status);

// The state a person wants to know: of the queue while it waits, of the job afterwards.
export function jobState(job) {
  if (ended(job)) return [job.status, job.status];
  if (job.uncertain) return ["uncertain", "uncertain"];
  if (job.cancel_requested_at) return [`${job.status}, cancel requested`, "running"];
  if (job.status === "pending") return [job.queue_status === "blocked" ? "waits for approval" : "waits", job.queue_status];
  return [job.status, job.status];
}

const PLACES = [["step", "total"], ["step", "steps"], ["step", "total_steps"], ["epoch", "epochs"], ["epoch", "total_epochs"]];

// A fraction from 0 to 1, where a job says how far it is.
export function fraction(progress) {
  if (!progress) return null;
  for (const name of ["fraction", "progress"]) {
    if (typeof progress[name] === "number" && progress[name] >= 0 && progress[name] <= 1) return progress[name];
  }
  for (const [done, all] of PLACES) {
    if (typeof progress[done] === "number" && progress[all] > 0) return Math.min(1, progress[done] / progress[all]);
  }
  return null;
}

export function measures(object, most = 6) {
  if (!object) return "";
  const rest = { ...object };
  const parts = [];
  for (const [done, all] of PLACES) {
    if (typeof rest[done] !== "number" || typeof rest[all] !== "number") continue;
    parts.push(`${done} ${rest[done]} of ${rest[all]}`);
    delete rest[done];
    delete rest[all];
  }
  for (const [name, value] of Object.entries(rest)) {
    if (typeof value === "number") parts.push(`${name} ${Number.isInteger(value) ? value : Number(value.toPrecision(4))}`);
    else if (typeof value === "string" && value.length < 40) parts.push(`${name} ${value}`);
  }
  return parts.slice(0, most).map((one) => one.replaceAll("_", " ")).join(" · ");
}
