// Times and amounts as people read them.

export function clock(text) {
  return text ? new Date(text).toLocaleTimeString([], { hour12: false }) : "";
}

export function moment(text) {
  return text ? new Date(text).toLocaleString([], { hour12: false, dateStyle: "medium", timeStyle: "medium" }) : "";
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

export function jobName(job) {
  return job.config_name || job.entry_point || (job.command ? job.command.join(" ") : null) || job.job_id;
}

// The state a person wants to know: of the queue while it waits, of the job afterwards.
export function jobState(job) {
  if (job.cancel_requested_at && !job.completed_at) return ["running, cancel requested", "running"];
  if (job.status === "pending") return [job.queue_status === "blocked" ? "waits for approval" : "waits", job.queue_status];
  return [job.status, job.status];
}

// A fraction from 0 to 1, where a job says how far it is.
export function fraction(progress) {
  if (!progress) return null;
  for (const name of ["fraction", "progress"]) {
    if (typeof progress[name] === "number" && progress[name] >= 0 && progress[name] <= 1) return progress[name];
  }
  for (const [done, all] of [["step", "steps"], ["step", "total_steps"], ["epoch", "epochs"], ["epoch", "total_epochs"]]) {
    if (typeof progress[done] === "number" && progress[all] > 0) return Math.min(1, progress[done] / progress[all]);
  }
  return null;
}

export function measures(object) {
  if (!object) return "";
  const { epoch, epochs, step, steps, ...rest } = object;
  const place = epoch !== undefined && epochs ? { epoch: `${epoch} of ${epochs}` } : { epoch, epochs };
  const within = step !== undefined && steps ? { step: `${step} of ${steps}` } : { step, steps };
  return Object.entries({ ...place, ...within, ...rest })
    .filter(([, value]) => typeof value === "number" || (typeof value === "string" && value.length < 40))
    .slice(0, 6)
    .map(([name, value]) => `${name} ${typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value}`)
    .join(" · ");
}
