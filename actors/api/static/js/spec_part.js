// A job that is known by the options of its provider alone, with changes. The server keeps the options: only what differs from
// what is shown is sent, so values that are not shown (***) stay what they are.

import { post } from "./api.js";
import { commonFields } from "./common_fields.js";
import { announce, el } from "./dom.js";
import { formField } from "./form_field.js";
import { jobName, jobPath } from "./format.js";
import { newKey } from "./keys.js";
import { clearRefusals, placeRefusal } from "./refusals.js";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// What makes `after` of `before`, as a merge patch (RFC 7396); undefined: nothing.
export function patchOf(before, after) {
  if (JSON.stringify(before) === JSON.stringify(after)) return undefined;
  if (!isObject(before) || !isObject(after)) return after;
  const patch = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const change = name in before ? patchOf(before[name], value) : value;
    if (change !== undefined) patch[name] = change;
  }
  return Object.keys(patch).length ? patch : undefined;
}

export function specPart(job) {
  const common = commonFields(job, () => {});
  const before = common.values();
  const options = formField({ paths: ["spec"], label: `Options of ${job.provider}`, hint: "JSON. *** stands for a value that is not shown and stays as it is; null takes a value away.", make: () => el("textarea", { rows: 8, autocomplete: "off", spellcheck: "false" }) });
  const rest = el("p", { class: "bad", role: "alert" });
  const made = el("div", { class: "made", tabindex: -1, role: "group", "aria-label": "Submitted jobs" });
  const fields = [options, ...common.fields];
  let sent = null; // what was sent last, and under which key: the same again makes no second job
  let busy = false;
  options.input.value = JSON.stringify(job.spec, null, 2);

  function changes() {
    const spec = patchOf(job.spec, JSON.parse(options.input.value));
    return { ...patchOf(before, common.values()), ...(spec === undefined ? {} : { spec }) };
  }

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    busy = true;
    clearRefusals(fields);
    rest.textContent = "";
    try {
      const asked = changes();
      const text = JSON.stringify(asked);
      if (sent?.text !== text) sent = { text, key: newKey() };
      const again = await post(`/api/jobs/${encodeURIComponent(job.job_id)}/retry`, { changes: { ...asked, idempotency_key: sent.key } });
      made.replaceChildren(el("h2", {}, "1 job submitted"), ...again.warnings.map((one) => el("p", { class: "bad" }, one)), el("ul", {}, el("li", {}, el("a", { href: jobPath(again.job_id) }, jobName(again)))));
      sent = null;
      announce("1 job submitted");
      made.focus();
    } catch (error) {
      if (error instanceof SyntaxError) {
        options.refuse(`This is not JSON: ${error.message}`);
        options.input.focus();
      } else {
        rest.textContent = placeRefusal(error, fields);
      }
    }
    busy = false;
  }

  return el("form", { class: "submit", novalidate: true, onsubmit: submit }, options.node, el("fieldset", {}, el("legend", {}, "Job"), ...common.fields.map((field) => field.node)), rest,
    el("p", { class: "actions" }, el("button", { class: "main" }, "Submit")), made);
}
