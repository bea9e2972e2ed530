// One job: its state and actions, its curves, its states over time, what was asked, its output as it comes, its trail.

import { get } from "./api.js";
import { curvesOf } from "./curves.js";
import { el, keyed, state } from "./dom.js";
import { details, when, words } from "./event_text.js";
import { ended, jobName, jobPath, jobState } from "./format.js";
import { actionsOf } from "./job_actions.js";
import { attemptsOf, estimatesOf, notificationsOf, outcomeOf, requestOf } from "./job_facts.js";
import { progressOf } from "./job_rows.js";
import { outputOf } from "./output.js";
import { timelineOf } from "./timeline.js";

const CURVES = 5_000; // milliseconds between two looks at the series of a job that runs
const TIMELINE = 1_000;
const MOST = 2_000; // events of the trail that are kept

function step(event) {
  return el("li", {}, when(event), el("span", {}, words(event)), " ", el("span", { class: "quiet" }, details(event)),
    event.cycle_id ? el("span", { class: "quiet cycle", title: `cycle_id ${event.cycle_id}` }, ` cycle ${event.cycle_id.slice(0, 8)}`) : "");
}

// Rows of a list leave out what only the job's own document has.
const ALONE = ["waits_for", "dependants", "attempts", "notifications"];

export function jobView(model, jobId) {
  const path = `/api/jobs/${encodeURIComponent(jobId)}`;
  const head = el("div");
  const asked = el("div");
  const trail = el("ol", { class: "trail", "aria-label": "Events of this job" });
  const about = el("p", { class: "quiet" });
  const { actions, uncertain } = actionsOf(model, jobId);
  const output = outputOf(jobId, model);
  const curves = curvesOf(jobId);
  const timeline = timelineOf();
  const attempts = attemptsOf();
  const notifications = notificationsOf();
  let events = [];
  const whole = {};
  let known = false;

  function paint(found) {
    for (const name of ALONE) if (found[name]) whole[name] = found[name];
    const job = { ...found, ...whole };
    const [word, kind] = jobState(job);
    const parts = {
      name: () => el("h1", {}, jobName(job)),
      state: () => el("p", { class: "now" }, state(word, kind), " ", progressOf(job)),
      estimates: () => estimatesOf(job),
      error: () => (job.error_message ? el("p", { class: "bad" }, job.error_message) : el("div")),
      uncertain: () => el("div", {}, job.uncertain && !ended(job) ? uncertain(job) : ""),
      reason: () => (job.reason && !ended(job) ? el("p", {}, `${job.reason}${job.setting ? ` (${job.setting})` : ""}`) : el("div")),
      actions: () => el("p", { class: "actions" }, actions(job)),
      outcome: () => outcomeOf(job),
    };
    const { progress, ...still } = job;
    keyed(head, Object.keys(parts).map((key) => [key, key === "state" ? job : still]), ([key]) => key, ([key]) => parts[key]());
    keyed(asked, [still], () => "asked", () => requestOf(job));
    attempts.show(job.attempts ?? []);
    notifications.show(job.notifications ?? []);
    about.replaceChildren("Log lines of all actors about it have the correlation ID ", el("code", {}, job.correlation_id), ": ", el("code", {}, `python -m logconf trace ${job.correlation_id} FILE`), ". Those of one cycle of an actor have its cycle_id.");
    document.title = `${jobName(job)} · Greenroom`;
  }

  const readJob = async () => {
    const job = await model.fetch(jobId);
    known = true;
    if (job && job.job_id !== jobId) location.replace(jobPath(job.job_id)); // the address had its name
    else if (!job) head.replaceChildren(el("h1", {}, "There is no such job"), el("p", {}, jobId));
  };

  const readTrail = async () => {
    for (let next = events.at(-1)?.seq ?? 0; next !== null;) {
      const answer = await get(`${path}/events?progress=false&after=${next}`);
      events = [...events, ...answer.events.filter((event) => event.seq > (events.at(-1)?.seq ?? 0))].slice(-MOST);
      ({ next } = answer);
    }
    model.changed(); // which draws it with the next frame
  };

  const readCurves = () => curves.refresh();

  function drawTrail() {
    keyed(trail, events, (event) => event.seq, step);
    timeline.show(events);
  }

  // An event of this job goes into the trail as it is; what else changed is asked for.
  function note(event) {
    if (event.job_id !== jobId) return;
    model.pace.ask(readCurves, CURVES);
    if (event.type === "job_progress") return;
    if (event.seq > (events.at(-1)?.seq ?? 0)) events = [...events, event].slice(-MOST);
    model.pace.ask(readJob);
  }

  function update() {
    const job = model.jobs.get(jobId);
    if (job && known) paint(job);
    drawTrail();
  }

  async function refresh() {
    output.again();
    if (known) return [readJob, readTrail, readCurves].forEach((one) => model.pace.ask(one));
    return Promise.all([readJob(), readTrail(), readCurves()]).catch((error) => (error.status === 404 ? undefined : model.fault(error)));
  }

  const clock = setInterval(() => { if (!document.hidden && events.length && !["completed", "failed", "cancelled"].includes(events.at(-1).status)) timeline.show(events); }, TIMELINE);
  const section = (title, ...nodes) => el("section", {}, el("h2", {}, title), ...nodes);
  const node = el("div", {}, el("p", {}, el("a", { href: "#/jobs" }, "All jobs")), head,
    section("Series", curves.node), section("States", timeline.node), section("Output", output.node), section("Request", asked),
    attempts.node, notifications.node, section("Events", trail, about));
  return { node, update, refresh, note, leave: () => { output.stop(); curves.stop(); clearInterval(clock); } };
}
