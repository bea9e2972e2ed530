// The fields of an entry point, made from the rules for its parameters: one value each, or several for a sweep.

import { el } from "./dom.js";
import { formField, typed, WHOLE } from "./form_field.js";

export const MOST_JOBS = 10_000; // that one request may make
const RANGE = /^\s*([+-]?\d+)\.\.([+-]?\d+)\s*$/;
const KINDS = { str: "Text", int: "Whole number", float: "Number", bool: "true or false" };
const NOT_SWEPT = ["include", "exclude"]; // which mean something else in a matrix

// In a sweep braces mean a parameter; doubled they are text.
export const escaped = (value) => (typeof value === "string" ? value.replaceAll("{", "{{").replaceAll("}", "}}") : value);

export function rulesOf(param) {
  const size = param.type === "str" ? " characters" : "";
  return [param.choices ? "" : KINDS[param.type], param.min === null ? "" : `at least ${param.min}${size}`, param.max === null ? "" : `at most ${param.max}${size}`,
    param.pattern === null ? "" : `must match ${param.pattern}`, param.default === null ? "required" : `default: ${param.default}`].filter(Boolean).join("; ");
}

// The values of a sweep: one a line; of whole numbers also a range such as 1..5.
export function valuesOf(text, type) {
  const found = [];
  for (const line of text.split(/\r?\n/)) {
    const range = type === "int" ? RANGE.exec(line) : null;
    const [from, to] = range ? [Number(range[1]), Number(range[2])] : [0, -1];
    if (range && from <= to && to - from < MOST_JOBS) for (let value = from; value <= to; value += 1) found.push(String(value));
    else if (line !== "") found.push(type === "str" ? line : line.trim());
  }
  return found;
}

function single(param) {
  const options = param.choices ?? (param.type === "bool" ? [true, false] : null);
  if (!options) return { node: el("input", { autocomplete: "off", inputmode: param.type === "int" ? "numeric" : param.type === "float" ? "decimal" : null }), read: (input) => (input.value === "" ? undefined : typed(input.value, param.type)) };
  const node = el("select", {}, el("option", { value: "" }, param.default === null ? "" : `${param.default} (default)`), options.map((one, at) => el("option", { value: at }, String(one))));
  return { node, options, read: (input) => (input.value === "" ? undefined : options[Number(input.value)]) };
}

// One parameter. `value()` is what the job gets, undefined where nothing is given; `values()` those of a sweep, or null.
export function paramField(param, given, changed) {
  const one = single(param);
  const paths = [`params.${param.name}`, `matrix.${param.name}`];
  const field = formField({ paths, label: param.name, hint: rulesOf(param), make: () => one.node });
  const several = el("textarea", { rows: 4, hidden: true, "aria-label": `Values of ${param.name}, one a line`, "aria-describedby": field.input.getAttribute("aria-describedby") });
  const toggle = el("input", { type: "checkbox", id: `${field.input.id}-sweep`, onchange: () => sweep(toggle.checked) });
  const choice = el("label", { class: "choice", for: toggle.id }, toggle, `Several values of ${param.name}`);
  const about = el("p", { class: "quiet hint", hidden: true }, param.type === "int" ? "One value a line, or a range such as 1..5" : "One value a line");
  field.input.after(several, about);
  if (!NOT_SWEPT.includes(param.name)) field.node.append(choice);
  for (const node of [field.input, several]) node.addEventListener("input", changed);

  function sweep(on) {
    if (on && several.value === "") several.value = (one.options ?? [field.input.value]).join("\n");
    field.input.hidden = on;
    several.hidden = about.hidden = !on;
    changed();
  }

  function refuse(text) {
    field.refuse(text);
    if (text) several.setAttribute("aria-invalid", "true");
    else several.removeAttribute("aria-invalid");
  }

  if (given !== undefined && !one.options) field.input.value = String(given);
  else if (one.options?.includes(given)) field.input.value = String(one.options.indexOf(given));
  return { ...field, refuse, param, value: () => one.read(field.input), values: () => (toggle.checked ? valuesOf(several.value, param.type) : null), control: () => (toggle.checked ? several : field.input) };
}

// What fields ask for, as `params`, and as `matrix` where one has several values.
export function askedOf(fields) {
  const swept = fields.filter((field) => field.values() !== null);
  const params = {};
  for (const field of fields) {
    const value = field.values() === null ? field.value() : null;
    if (field.values() !== null) params[field.param.name] = `{${field.param.name}}`;
    else if (value !== undefined) params[field.param.name] = swept.length ? escaped(value) : value;
  }
  if (swept.length === 0) return { params, number: 1 };
  const matrix = Object.fromEntries(swept.map((field) => [field.param.name, field.values()]));
  return { params, matrix, number: Object.values(matrix).reduce((product, values) => product * values.length, 1) };
}
