// One job: its facts, its timeline across the actors, its output as it comes, and its actions.

import { get, post } from "./api.js";
import { curvesOf } from "./curves.js";
import { button, el, facts, keyed, state, announce } from "./dom.js";
import { ended, jobName, jobPath, jobState, measures, moment, needs, span, took } from "./format.js";
import { progressOf } from "./jobs.js";
import { outputOf } from "./output.js";
import { allowed, may } from "./rights.js";
import { details, when, words } from "./event_text.js";

// Of many reports of progress in a row only the newest is shown.
const withoutRepeats = (events) => events.filter((event, at) => event.type !== "job_progress" || events[at + 1]?.type !== "job_progress");

function step(event) {
  return el("li", {}, when(event), el("span", {}, words(event)), " ", el("span", { class: "quiet" }, details(event)),
    event.cycle_id ? el("span", { class: "quiet cycle", title: `cycle_id ${event.cycle_id}` }, ` cycle ${event.cycle_id.slice(0, 8)}`) : "");
}

// Other jobs, each a link to its page, and how many more there are.
function relatives(found) {
  if (!found?.number) return "";
  const more = found.number - found.jobs.length;
  return el("span", {}, found.jobs.map((one, at) => [at ? ", " : "", el("a", { href: jobPath(one.job_id) }, one.name ?? one.job_id), ` (${one.status})`]),
    more > 0 ? `, and ${more} more` : "");
}

function spread(found) {
  if (!found?.earliest && !found?.latest) return "";
  return [found.earliest, found.latest].filter(Boolean).map(moment).join(" to ");
}

const ALONE = ["waits_for", "dependants", "attempts", "notifications"];

const notices = (found) => (found ?? []).map((one) => `${one.type} to ${one.target}: ${one.state.replace("_", " ")}`).join(", ");

const tries = (found) => (found?.length > 1 ? found.map((one) => `${one.attempt} ${one.status ?? "not handed over"}`).join(", ") : "");

const pairs = (object) => Object.entries(object ?? {}).map(([name, value]) => `${name} ${value}`).join(", ");

function factsOf(job) {
  return facts([
    ["Job", job.job_id], ["User", job.user_id], ["Organisation", job.org_id], ["Provider", job.provider],
    ["Group", job.group], ["Command", job.command?.join(" ")], ["Entry point", job.entry_point], ["Directory", job.cwd],
    ["Parameters", pairs(job.parameters)], ["Waits for", relatives(job.waits_for)], ["Wait for it", relatives(job.dependants)],
    ["Starts after", moment(job.start_after)], ["Starts presumably", spread(job.estimated_start)],
    ["Ends presumably", spread(job.estimated_end)], ["Needs", needs(job.resources)], ["Devices", job.devices?.join(", ")], ["Ends after", span(job.max_runtime)],
    ["Output directory", job.output_directory], ["Variables set", job.environment.set.join(", ")],
    ["Inherited", job.environment.inherited.join(", ")], ["Asked for, not set", job.environment.not_set.join(", ")],
    ["Priority", job.priority], ["Attempt", job.attempt ? job.attempt + 1 : ""],
    ["Attempts", tries(job.attempts)], ["Notifications", notices(job.notifications)],
    ["Runs again", job.rerun ? `${job.reruns} of ${job.rerun.times} times` : ""],
    ["Submitted", moment(job.queued_at)], ["Started", moment(job.started_at)], ["Ended", moment(job.completed_at)],
    ["Waited", took(job.queued_at, job.started_at ?? job.completed_at)], ["Ran", took(job.started_at, job.completed_at)],
    ["Result", measures(job.result)], ["Exit status", job.exit_code], ["Signal", job.signal],
    ["Cost", job.cost_usd === null ? "" : `$${job.cost_usd.toFixed(2)}`], ["Result is at", job.output_url],
    ["Retry of", job.retry_of ? el("a", { href: jobPath(job.retry_of) }, job.retry_of) : ""],
  ]);
}

export function jobView(model, jobId) {
  const head = el("div");
  const trail = el("ol", { class: "trail", "aria-label": "What happened to this job" });
  const about = el("p", { class: "quiet" });
  const output = outputOf(`/api/jobs/${encodeURIComponent(jobId)}/logs/stream`);
  const curves = curvesOf(jobId);
  const events = [];
  const whole = {};
  let seen = null;
  let asking = false;

  async function act(word, path, body) {
    try {
      const job = await post(path, body);
      model.put(job);
      announce(`${word}: ${jobName(job)}`);
      if (job.job_id !== jobId) location.hash = jobPath(job.job_id);
    } catch (error) {
      model.fault(error);
    }
  }

  function actions(job) {
    // Commands come from the machine itself alone: over the network such a retry is refused to everybody.
    if (ended(job) && job.command) return el("span", { class: "quiet" }, `It was a command; on its machine it runs again with: greenroom retry ${job.job_id}`);
    if (ended(job)) return allowed("researcher", "Running it again", button("Run again", () => act("Asked again", `/api/jobs/${jobId}/retry`)));
    if (job.cancel_requested_at) return el("span", { class: "quiet" }, `${job.cancel_requested_by ?? "somebody"} asked to cancel it`);
    const cancel = () => confirm(`Cancel ${jobName(job)}?`) && act("Cancel requested", `/api/jobs/${jobId}/cancel`);
    return allowed("researcher", "Cancelling", button("Cancel", cancel, "danger"));
  }

  function uncertain(job) {
    const settle = (verdict) => confirm("Do so only if you have checked: a job that runs twice is worse than one that waits.") && act("Settled", `/api/jobs/${jobId}/settle`, { verdict });
    return [el("p", { class: "bad" }, `It is not known whether it runs: ${job.uncertain.reason ?? "no answer"}. Its place stays taken until it is settled.`),
      el("p", { class: "actions" }, may("admin") ? [button("It never ran", () => settle("not_run")), button("It failed", () => settle("failed"))] : allowed("admin", "Settling"))];
  }

  function paint(found) {
    // Rows of a list leave out what only the job's own document has.
    for (const name of ALONE) if (found[name]) whole[name] = found[name];
    const job = { ...found, ...whole };
    const [word, kind] = jobState(job);
    const parts = {
      name: () => el("h1", {}, jobName(job)),
      state: () => el("p", { class: "now" }, state(word, kind), " ", progressOf(job)),
      error: () => (job.error_message ? el("p", { class: "bad" }, job.error_message) : el("div")),
      uncertain: () => el("div", {}, job.uncertain && !ended(job) ? uncertain(job) : ""),
      reason: () => (job.reason && !ended(job) ? el("p", {}, `${job.reason}${job.setting ? ` (${job.setting})` : ""}`) : el("div")),
      actions: () => el("p", { class: "actions" }, actions(job)),
      facts: () => factsOf(job),
    };
    const { progress, ...still } = job;
    keyed(head, Object.keys(parts).map((key) => [key, key === "state" ? job : still]), ([key]) => key, ([key]) => parts[key]());
    about.textContent = `Log lines of all actors about it have the correlation ID ${job.correlation_id}; those of one cycle its cycle_id.`;
    document.title = `${jobName(job)} · Greenroom`;
  }

  async function refresh() {
    if (asking) return;
    asking = true;
    try {
      for (let more = true; more;) {
        const answer = await get(`/api/jobs/${encodeURIComponent(jobId)}/events?after=${events.at(-1)?.seq ?? 0}`);
        events.push(...answer.events);
        more = answer.next !== null;
      }
      keyed(trail, withoutRepeats(events), (event) => event.seq, step);
      await curves.refresh();
    } catch (error) {
      model.fault(error);
    }
    asking = false;
  }

  function update() {
    const job = model.jobs.get(jobId);
    if (job) paint(job);
    if (model.version === seen) return;
    seen = model.version;
    refresh();
  }

  const node = el("div", {}, el("p", {}, el("a", { href: "#/jobs" }, "All jobs")), head,
    el("h2", {}, "Numbers over time"), curves.node, el("h2", {}, "What happened"), trail, about, el("h2", {}, "Output"), output.node);
  model.fetch(jobId).then((job) => {
    if (job && job.job_id !== jobId) location.replace(jobPath(job.job_id)); // the address had its name
    else if (job) model.changed();
    else head.replaceChildren(el("h1", {}, "There is no such job"), el("p", {}, jobId));
  }, (error) => model.fault(error));
  return { node, update, reconnected: () => output.again(), leave: () => { output.stop(); curves.stop(); } };
}
