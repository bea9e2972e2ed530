// A row of the list of jobs, and how far a job is.

import { cell, el, gauge, state } from "./dom.js";
import { ended, fraction, groupPath, jobName, jobPath, jobState, measures, moment, owner, shortly, took } from "./format.js";

const IN_ROW = 4; // measures of a result; the job's page has more

export function progressOf(job) {
  if (ended(job) || !job.progress) return "";
  const part = fraction(job.progress);
  return [part === null ? "" : gauge("progressbar", `Progress of ${jobName(job)}`, Math.round(part * 100), 100), " ",
    el("span", { class: "quiet" }, measures(job.progress))];
}

const at = (label, text, more) => cell(label, text ? [el("time", { datetime: text, title: moment(text) }, shortly(text)), more ? [" ", el("span", { class: "quiet" }, more)] : ""] : "", "time");

export const COLUMNS = [["name", "Job"], ["status", "State"], ["user", "User"], ["provider", "Provider"], ["group", "Group"], ["created", "Submitted"], ["started", "Started"], ["ended", "Ended"], [null, "Progress, result, message"]];

// `choose(job, chosen)` is called when its box is clicked.
export function jobRow({ job, chosen }, choose) {
  const [word, kind] = jobState(job);
  const box = el("input", { type: "checkbox", "aria-label": `Select ${jobName(job)}` });
  box.checked = chosen;
  box.addEventListener("change", () => choose(job, box.checked));
  return el("tr", { class: chosen ? "chosen" : null }, el("td", { class: "choose" }, box),
    el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id), title: jobName(job) }, jobName(job))),
    cell("", state(word, kind)), cell("User", owner(job), "user", owner(job)), cell("Provider", job.provider, "user"),
    cell("Group", job.group ? el("a", { href: groupPath(job.group, job.user_id) }, job.group) : "", "user", job.group), at("Submitted", job.created_at),
    at("Started", job.started_at, job.started_at ? ["after ", took(job.queued_at, job.started_at)] : ""),
    at("Ended", job.completed_at, job.started_at && job.completed_at ? ["ran ", took(job.started_at, job.completed_at)] : ""),
    cell("", [progressOf(job), job.error_message || job.reason || measures(job.result, IN_ROW)], "wide"));
}
