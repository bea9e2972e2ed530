// A job that was a command, with changes, as a line to paste into a shell on the machine.

import { commonFields } from "./common_fields.js";
import { announce, button, el } from "./dom.js";
import { lineNotes, submitLine } from "./shell_line.js";

export function shellPart(job) {
  const common = commonFields(job, changed);
  const line = el("pre", { class: "line", tabindex: 0, role: "region", "aria-label": "Line for a shell" });

  function changed() {
    const { resources = {}, ...values } = common.values();
    const needs = { cpus: 1, gpus: 0, memory: null, ...resources };
    line.textContent = submitLine({ ...job, config_name: null, group: null, priority_override: null, max_runtime: null, ...values, resources: needs });
  }

  // Without the clipboard, as over plain HTTP from another machine, the line is selected.
  async function copy() {
    try {
      await navigator.clipboard.writeText(line.textContent);
      announce("Copied");
    } catch {
      getSelection().selectAllChildren(line);
      announce("Selected: copy it with the keyboard");
    }
  }

  changed();
  return el("div", { class: "submit" }, el("p", {}, "It was a command. This page submits none; paste this line into a shell on the machine itself:"), line,
    el("p", { class: "actions" }, button("Copy the line", copy)), ...lineNotes(job).map((note) => el("p", { class: "quiet" }, note)),
    el("fieldset", {}, el("legend", {}, "Changes"), ...common.fields.map((field) => field.node)));
}
