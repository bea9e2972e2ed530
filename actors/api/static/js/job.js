// One job: its facts, its timeline across the actors, its output as it comes, and what may be done about it.

import { follow, get, post } from "./api.js";
import { el, facts, keyed, state, tell } from "./dom.js";
import { between, clock, jobName, jobState, measures, moment, span } from "./format.js";
import { progressOf } from "./jobs.js";

const MOST_OUTPUT = 200_000;
const ABOUT = new Set(["seq", "time", "type", "job_id", "correlation_id", "cycle_id"]);

function step(event) {
  const told = Object.entries(event).filter(([name, value]) => !ABOUT.has(name) && value !== null && typeof value !== "object");
  return el("li", {},
    el("time", { datetime: event.time, title: moment(event.time) }, clock(event.time)),
    el("span", {}, event.type.replaceAll("_", " ")), " ",
    el("span", { class: "quiet" }, told.map(([name, value]) => `${name} ${value}`).join(" · ")));
}

export function jobView(model, jobId) {
  const head = el("div");
  const trail = el("ol", { class: "trail" });
  const output = el("pre", { tabindex: 0, role: "log", "aria-label": "Output" });
  const stopped = new AbortController();
  let seen = 0;

  async function act(word, path) {
    try {
      const job = await post(path);
      model.put(job);
      tell(`${word}: ${jobName(job)}`);
      if (job.job_id !== jobId) location.hash = `#/jobs/${job.job_id}`;
    } catch (error) {
      model.fault(error);
    }
  }

  function paint(job) {
    const [word, kind] = jobState(job);
    const ended = Boolean(job.completed_at) || ["completed", "failed", "cancelled"].includes(job.status);
    head.replaceChildren(
      el("h1", {}, jobName(job)),
      el("p", {}, state(word, kind), " ", progressOf(job)),
      job.error_message ? el("p", { class: "bad" }, job.error_message) : "",
      job.reason && !ended ? el("p", {}, `${job.reason}${job.setting ? ` (${job.setting})` : ""}`) : "",
      el("p", { class: "actions" },
        ended ? el("button", { type: "button", onclick: () => act("Asked again", `/api/jobs/${job.job_id}/retry`) }, "Run again")
          : el("button", { type: "button", class: "danger", onclick: () => act("Cancel requested", `/api/jobs/${job.job_id}/cancel`) }, "Cancel")),
      facts([
        ["Job", job.job_id], ["Correlation ID", job.correlation_id], ["User", job.user_id], ["Organisation", job.org_id],
        ["Provider", job.provider], ["Queued", moment(job.queued_at)], ["Started", moment(job.started_at)], ["Ended", moment(job.completed_at)],
        ["Waited", span(between(job.queued_at, job.started_at ?? job.completed_at))], ["Ran", job.started_at ? span(between(job.started_at, job.completed_at)) : ""],
        ["Result", measures(job.result)], ["Exit status", job.exit_code], ["Cost", job.cost_usd === null || job.cost_usd === undefined ? "" : `$${job.cost_usd.toFixed(2)}`], ["Output", job.output_url],
      ]));
  }

  async function refresh() {
    const answer = await get(`/api/jobs/${encodeURIComponent(jobId)}/events`);
    // Of many reports of progress in a row the newest one tells enough.
    const told = answer.events.filter((event, at, all) => event.type !== "job_progress" || all[at + 1]?.type !== "job_progress");
    keyed(trail, told, (event) => event.seq, step);
  }

  function update() {
    const job = model.jobs.get(jobId);
    if (job) paint(job);
    if (model.live.last !== seen) {
      seen = model.live.last;
      refresh().catch((error) => model.fault(error));
    }
  }

  async function listen() {
    try {
      await follow(`/api/jobs/${encodeURIComponent(jobId)}/logs?follow=true`, stopped.signal, (text) => {
        const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
        output.textContent = (output.textContent + text).slice(-MOST_OUTPUT);
        if (atEnd) output.scrollTop = output.scrollHeight;
      });
    } catch (error) {
      if (error.name !== "AbortError") output.textContent += `\n[${error.message}]`;
    }
  }

  const node = el("div", {}, el("p", {}, el("a", { href: "#/jobs" }, "All jobs")), head,
    el("h2", {}, "What happened"), trail, el("h2", {}, "Output"), output);
  model.fetch(jobId).then(() => { seen = -1; update(); }, (error) => model.fault(error));
  listen();
  return { node, update, leave: () => stopped.abort() };
}
