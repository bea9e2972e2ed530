// Submit: a form for each entry point; with `again`, the values of a job stand there. A command is never sent: of a job that
// was one the page shows the line for a shell.

import { get, post } from "./api.js";
import { commonFields } from "./common_fields.js";
import { announce, el } from "./dom.js";
import { groupPath, jobName, jobPath } from "./format.js";
import { newKey } from "./keys.js";
import { askedOf, MOST_JOBS, paramField } from "./param_fields.js";
import { clearRefusals, placeRefusal } from "./refusals.js";
import { allowed, may } from "./rights.js";
import { shellPart } from "./shell_part.js";
import { specPart } from "./spec_part.js";

const SHOWN = 20; // links to new jobs

const keyOf = (one) => JSON.stringify([one.name, one.provider]);

export function submitView(model, asked) {
  const again = asked.get("again");
  const place = el("div");
  let begun = false;

  async function begin() {
    if (begun || !may("researcher")) return;
    begun = true;
    try {
      const [{ entry_points: points }, job] = await Promise.all([get("/api/entry-points"), again ? get(`/api/jobs/${encodeURIComponent(again)}`) : null]);
      place.replaceChildren(...contents(points, job));
    } catch (error) {
      begun = false;
      model.fault(error);
    }
  }

  function contents(points, job) {
    const from = job ? el("p", {}, "The values are those of ", el("a", { href: jobPath(job.job_id) }, jobName(job)), ".") : "";
    if (job?.command) return [from, shellPart(job)];
    if (job && !job.entry_point) return [from, specPart(job)];
    if (points.length === 0) return [from, el("p", {}, "The configuration has no ", el("code", {}, "entry_points"), ", and this page takes no commands. On the machine itself: ", el("code", {}, "greenroom submit -- python train.py"))];
    return [from, el("p", { class: "quiet" }, "A job names an entry point of the configuration and gives its parameters."), submitForm(points, job, asked.get("entry_point"))];
  }

  const intro = may("researcher") ? "" : el("p", {}, allowed("researcher", "Submitting", ""));
  return { node: el("div", {}, el("h1", {}, "Submit"), intro, place), update: () => {}, refresh: begin };
}

function submitForm(points, job, wanted) {
  const name = job?.entry_point ?? wanted;
  const kept = job ? Object.fromEntries(Object.entries({ estimated_cost: job.estimated_cost, max_attempts: job.max_attempts, notify: job.notify.length ? job.notify : null, rerun: job.rerun, team_id: job.team_id }).filter(([, value]) => value !== null)) : {};
  const common = commonFields(job, changed);
  const choose = el("select", { id: "entry-point", onchange: () => build() }, points.map((one) => el("option", { value: keyOf(one) }, `${one.name} (${one.provider})`)));
  const first = points.find((one) => one.name === name && (!job || one.provider === job.provider)) ?? (name ? null : points[0]);
  const part = el("fieldset", {}, el("legend", {}, "Parameters"));
  const count = el("p", { role: "status" });
  const rest = el("p", { class: "bad", role: "alert" });
  const made = el("div", { class: "made", tabindex: -1, role: "group", "aria-label": "Submitted jobs" });
  const go = el("button", { class: "main" }, "Submit");
  let params = [];
  let point = null;
  let sent = null; // what was sent last, and under which key: the same again makes no second job
  let busy = false;

  function build() {
    point = points.find((one) => keyOf(one) === choose.value) ?? null;
    params = (point?.params ?? []).map((param) => paramField(param, job?.entry_point === point.name ? job.params?.[param.name] : undefined, changed));
    part.replaceChildren(el("legend", {}, "Parameters"), ...params.map((field) => field.node), ...(params.length ? [] : [el("p", { class: "quiet" }, "It has none.")]));
    go.disabled = point === null;
    changed();
  }

  function changed() {
    const { matrix, number } = askedOf(params);
    go.textContent = matrix ? `Submit ${number} ${number === 1 ? "job" : "jobs"}` : "Submit";
    count.textContent = number > MOST_JOBS ? `One request makes at most ${MOST_JOBS} jobs; these would be ${number}.` : "";
  }

  function request() {
    const { params: given, matrix, number } = askedOf(params);
    return [{ ...kept, ...common.values(), provider: point.provider, entry_point: point.name, params: given, ...(matrix ? { matrix } : {}) }, number];
  }

  function keyed([body, number]) {
    const text = JSON.stringify(body);
    if (sent?.text !== text) sent = { text, key: newKey() };
    if (!body.matrix) return { ...body, idempotency_key: sent.key };
    return number <= MOST_JOBS ? { ...body, idempotency_keys: Array.from({ length: number }, (_, at) => `${sent.key}-${at}`) } : body;
  }

  async function submit(event) {
    event.preventDefault();
    if (busy || point === null) return;
    const fields = [...params, ...common.fields];
    busy = true;
    clearRefusals(fields);
    rest.textContent = "";
    try {
      show([await post("/api/jobs", keyed(request()))].flat());
      sent = null;
    } catch (error) {
      rest.textContent = placeRefusal(error, fields);
    }
    busy = false;
  }

  function show(jobs) {
    const words = jobs.length === 1 ? "1 job submitted" : `${jobs.length} jobs submitted`;
    const links = jobs.slice(0, SHOWN).map((one) => el("li", {}, el("a", { href: jobPath(one.job_id) }, jobName(one))));
    const warnings = [...new Set(jobs.flatMap((one) => one.warnings ?? []))].slice(0, SHOWN);
    const { group, user_id: user } = jobs[0];
    made.replaceChildren(el("h2", {}, words), ...warnings.map((one) => el("p", { class: "bad" }, one)), el("ul", {}, links),
      ...(jobs.length > SHOWN ? [el("p", { class: "quiet" }, `and ${jobs.length - SHOWN} more`)] : []), ...(group ? [el("p", {}, el("a", { href: groupPath(group, user) }, `Group ${group}`))] : []));
    announce(words);
    made.focus();
  }

  if (first) choose.value = keyOf(first);
  else choose.prepend(el("option", { value: "", selected: true }, `${name} is not configured${job ? ` for ${job.provider}` : ""}: choose another`));
  build();
  return el("form", { class: "submit", novalidate: true, onsubmit: submit }, el("div", { class: "asked" }, el("label", { for: "entry-point" }, "Entry point"), choose),
    part, el("fieldset", {}, el("legend", {}, "Job"), ...common.fields.map((field) => field.node)), count, rest, el("p", { class: "actions" }, go), made);
}
