// What a comparison of the jobs of a group has: columns, values, order, filter, which is the best. Pure functions.

import { number } from "./points.js";

const STATUS = { running: 0, queued: 1, uploading: 2, pending: 3, completed: 4, failed: 5, cancelled: 6 };

const written = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
export const nameOf = (job) => job.name ?? job.job_id;

// The columns of a table of these jobs: the job, its state, the parameters, and of each series the best value, where it has
// one, and the last. `of` is the value by which the table is sorted; `goal` says which of a column's values is the best.
export function columnsOf(jobs, goals) {
  const parameters = [...new Set(jobs.flatMap((job) => Object.keys(job.parameters)))];
  const names = [...new Set(jobs.flatMap((job) => Object.keys(job.metrics)))].sort();
  const parameter = (name) => ({ key: `parameter ${name}`, label: name, kind: "parameter", name, of: (job) => numeric(job.parameters[name]) });
  const series = (name, which, label) => ({ key: `${which} ${name}`, label, kind: "series", name, goal: which === "best" ? goals[name] : undefined, of: (job) => job.metrics[name]?.[which] ?? null });
  return [
    { key: "job", label: "Job", kind: "job", of: nameOf },
    { key: "status", label: "State", kind: "status", of: (job) => STATUS[job.status] ?? 9 },
    ...parameters.map(parameter),
    ...names.flatMap((name) => (goals[name] ? [series(name, "best", `${name}, ${goals[name] === "min" ? "least" : "greatest"}`), series(name, "last", `${name}, last`)] : [series(name, "last", name)])),
  ];
}

// A value as a number where it is written as one.
export function numeric(value) {
  if (typeof value === "number" || value === null || value === undefined) return value ?? null;
  const text = written(value);
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

export function textOf(column, job) {
  if (column.kind === "job") return nameOf(job);
  if (column.kind === "status") return job.status;
  return column.kind === "parameter" ? written(job.parameters[column.name]) : column.of(job) === null ? "" : number(column.of(job));
}

// Sorted by a column; what has no value there comes last. Numbers come before texts.
export function sorted(jobs, column, order) {
  const sign = order === "asc" ? 1 : -1;
  const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
  return jobs.map((job) => [column.of(job), job]).sort(([a, one], [b, other]) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return sign * compare(a, b) || (one.job_id < other.job_id ? -1 : 1);
  }).map(([, job]) => job);
}

// Jobs that fit all words of a text: `name=value` compares a parameter, or `status`; another word is looked for everywhere.
export function fitting(jobs, columns, text) {
  const words = text.trim().split(" ").filter(Boolean);
  return jobs.filter((job) => words.every((word) => {
    const [name, value] = [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)];
    const column = word.includes("=") && columns.find((one) => one.label === name || one.key === name);
    if (column) return textOf(column, job) === value;
    return columns.some((one) => one.kind !== "series" && textOf(one, job).toLowerCase().includes(word.toLowerCase()));
  }));
}

// By the key of each column that has a goal: the id of the job with the best value.
export function bestOf(jobs, columns) {
  const found = {};
  for (const column of columns.filter((one) => one.goal)) {
    const having = jobs.filter((job) => column.of(job) !== null);
    if (having.length) found[column.key] = sorted(having, column, column.goal === "min" ? "asc" : "desc")[0].job_id;
  }
  return found;
}
