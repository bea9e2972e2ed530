// What is known about one job, beside its state: as facts in groups, and as tables of attempts and notifications.

import { cell, el, facts, keyed, state, table } from "./dom.js";
import { groupPath, jobPath, measures, moment, needs, remaining, span, took } from "./format.js";

// Other jobs, each a link to its page, and how many more there are.
function relatives(found) {
  if (!found?.number) return "";
  const more = found.number - found.jobs.length;
  return el("span", {}, found.jobs.map((one, at) => [at ? ", " : "", el("a", { href: jobPath(one.job_id) }, one.name ?? one.job_id), ` (${one.status}${one.broke ? ", its end cancelled the other" : ""})`]),
    more > 0 ? `, and ${more} more` : "");
}

function spread(found) {
  if (!found?.earliest && !found?.latest) return "";
  const { earliest, latest } = found;
  const words = earliest && latest && moment(earliest) !== moment(latest) ? `${moment(earliest)} to ${moment(latest)}` : moment(latest ?? earliest);
  return [words, el("span", { class: "quiet" }, " (in ", remaining(latest ?? earliest), ")")];
}

const pairs = (object) => Object.entries(object ?? {}).map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
// A GPU is known by its UUID, or by a number alone.
const named = (devices) => devices?.map((one) => (Number.isInteger(Number(one)) ? `GPU ${one}` : one)).join(", ");
const code = (text) => (text ? el("code", {}, text) : "");

export function estimatesOf(job) {
  return facts([["Starts presumably", spread(job.estimated_start)], ["Ends presumably", spread(job.estimated_end)]]);
}

export function requestOf(job) {
  return facts([
    ["Job", job.job_id], ["User", job.user_id], ["Organisation", job.org_id], ["Team", job.team_id], ["Provider", job.provider],
    ["Group", job.group ? el("a", { href: groupPath(job.group, job.user_id) }, job.group) : ""],
    ["Command", code(job.command?.join(" "))], ["Entry point", job.entry_point], ["Directory", code(job.cwd)],
    ["Parameters", pairs(job.entry_point ? job.params : job.parameters)], ["Options", pairs(job.spec)], ["Waits for", relatives(job.waits_for)], ["Jobs waiting for it", relatives(job.dependants)],
    ["Starts after", moment(job.start_after)], ["Needs", needs(job.resources)], ["Devices", named(job.devices)], ["Ends after", span(job.max_runtime)],
    ["Variables set", job.environment.set.join(", ")], ["Variables inherited", job.environment.inherited.join(", ")], ["Variables not set", job.environment.not_set.join(", ")],
    ["Priority", job.priority_override === null ? job.priority : `${job.priority}, overridden`], ["Runs again", job.rerun ? `${job.reruns} of ${job.rerun.times} times` : ""],
    ["Notifies", job.notify.join(", ")], ["Retry of", job.retry_of ? el("a", { href: jobPath(job.retry_of) }, job.retry_of) : ""],
  ]);
}

export function outcomeOf(job) {
  return facts([
    ["Submitted", moment(job.created_at)], ["Started", moment(job.started_at)], ["Ended", moment(job.completed_at)],
    ["Waited", took(job.queued_at, job.started_at ?? job.completed_at)], ["Ran", took(job.started_at, job.completed_at)],
    ["Result", measures(job.result)], ["Exit status", job.exit_code], ["Signal", job.signal],
    ["Cost", job.cost_usd === null ? "" : `$${job.cost_usd.toFixed(2)}`], ["Output directory", code(job.output_directory)], ["Result is at", code(job.output_url)],
  ]);
}

// A table that is there only while it has rows; `show(rows)` fills it.
function tableOf(title, columns, keyOf, row) {
  const made = table(title, columns);
  made.node.querySelector("caption").className = "unseen"; // the heading above says it
  const node = el("section", {}, el("h2", {}, title), made.node);
  node.hidden = true;
  return { node, show: (rows) => { node.hidden = rows.length === 0; keyed(made.body, rows, keyOf, row); } };
}

export function attemptsOf() {
  return tableOf("Attempts", ["Attempt", "State", "Started", "Ran", "Exit", "Devices", "Message"], (one) => one.key, (one) => el("tr", {},
    el("th", { scope: "row" }, one.attempt), cell("", state(one.status ?? "not handed over", one.status ?? "pending")), cell("Started", moment(one.started_at), "time"),
    cell("Ran", took(one.started_at, one.completed_at), "number"), cell("Exit", one.signal ? `signal ${one.signal}` : one.exit_code, "number"),
    cell("Devices", named(one.devices), "user"), cell("", one.error_message, "wide")));
}

const NOTICE = { pending: "blocked", delivered: "ok", given_up: "failed", merged: "cancelled" };

export function notificationsOf() {
  return tableOf("Notifications", ["What", "Target", "State", "Tries", "When", "Message"], (one) => one.notification_id, (one) => el("tr", {},
    el("th", { scope: "row" }, one.type.replaceAll("_", " ")), cell("Target", one.target, "user"), cell("", state(one.state.replaceAll("_", " "), NOTICE[one.state])),
    cell("Tries", one.tries, "number"), cell("When", moment(one.finished_at ?? one.created_at), "time"),
    cell("", [one.last_error, one.next_try_at ? [" tries again in ", remaining(one.next_try_at)] : "", one.merged_into ? ` in digest ${one.merged_into}` : ""], "wide")));
}
