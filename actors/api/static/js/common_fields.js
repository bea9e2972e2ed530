// The fields that every job has, whatever it runs: name, group, priority, what it needs, how long it may run.

import { el } from "./dom.js";
import { formField, typed } from "./form_field.js";
import { may } from "./rights.js";

const text = (type = "text") => () => el("input", { autocomplete: "off", inputmode: type === "text" ? null : "decimal" });

// `job`: whose values stand there at first, or null.
export function commonFields(job, changed) {
  const resources = job?.resources;
  const made = {
    config_name: [["config_name"], "Name", "In a sweep {name} stands for the value of a parameter", "str", job?.config_name],
    group: [["group"], "Group", "Jobs of a group are compared on one page", "str", job?.group],
    priority_override: may("lead") ? [["priority_override"], "Priority", "0 to 50; empty: by level", "int", job?.priority_override] : null,
    cpus: [["resources.cpus"], "CPU slots", "Empty: 1", "int", resources?.cpus],
    gpus: [["resources.gpus"], "GPU slots", "Empty: 0", "int", resources?.gpus],
    memory: [["resources.memory"], "Memory in bytes", "Or a size such as 8GiB", "size", resources?.memory],
    max_runtime: [["max_runtime"], "Longest runtime in seconds", "Empty: no limit", "float", job?.max_runtime],
  };
  const fields = {};
  for (const [name, row] of Object.entries(made)) {
    if (row === null) continue;
    const [paths, label, hint, type, given] = row;
    const field = formField({ paths, label, hint, make: text(type === "str" ? "text" : "number") });
    field.input.value = given === null || given === undefined ? "" : String(given);
    field.input.addEventListener("input", changed);
    fields[name] = { ...field, type };
  }

  const valueOf = (name) => (fields[name] && fields[name].input.value !== "" ? read(fields[name]) : null);
  const read = ({ type, input }) => (type === "size" ? bytes(input.value) : typed(input.value, type));

  function values() {
    const needs = Object.fromEntries(["cpus", "gpus", "memory"].map((name) => [name, valueOf(name)]).filter(([, value]) => value !== null));
    const found = { config_name: valueOf("config_name"), group: valueOf("group"), priority_override: valueOf("priority_override"), max_runtime: valueOf("max_runtime") };
    return { ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null)), ...(Object.keys(needs).length ? { resources: needs } : {}) };
  }

  return { fields: Object.values(fields), values };
}

// 8GiB as bytes; what is no size stays a text.
export function bytes(written) {
  const found = /^\s*(\d+)\s*([KMGT])iB\s*$/.exec(written);
  return found ? Number(found[1]) * 1024 ** ("KMGT".indexOf(found[2]) + 1) : typed(written, "int");
}
