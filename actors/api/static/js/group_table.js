// The table of a group's jobs: a row a job, a column a parameter or a series, sorted by any of them.

import { el, keyed, state } from "./dom.js";
import { bestOf, nameOf, sorted, textOf } from "./comparison.js";
import { jobPath } from "./format.js";

const SHOWN = 300; // rows, until more are wanted

export function groupTable({ sortBy, choose, chosen, more }) {
  const head = el("tr");
  const body = el("tbody");
  const caption = el("caption", {}, "Parameters and series");
  const rest = el("button", { type: "button", onclick: () => { all = true; more(); } }, "Show all jobs");
  let all = false;

  function column(one, sort) {
    const press = el("button", { type: "button", class: "sort", onclick: () => sortBy(one) }, one.label);
    const direction = sort.key === one.key ? (sort.order === "asc" ? "ascending" : "descending") : null;
    return el("th", { scope: "col", "aria-sort": direction }, press);
  }

  function row({ job, cells, on }) {
    const box = el("input", { type: "checkbox", "aria-label": `Draw ${nameOf(job)}` });
    box.checked = on;
    box.addEventListener("change", () => choose(job, box.checked));
    return el("tr", { class: on ? "chosen" : null }, el("td", { class: "choose" }, box), el("th", { scope: "row" }, el("a", { href: jobPath(job.job_id) }, nameOf(job))),
      el("td", {}, state(job.status)),
      cells.map(({ label, text, best, kind }) => el("td", { "data-label": label, class: `${kind === "series" ? "number" : "user"}${best ? " best" : ""}` }, text, best ? el("span", { class: "unseen" }, " (the best)") : "")));
  }

  function show(jobs, columns, sort, among) {
    const best = bestOf(among, columns);
    const by = columns.find((one) => one.key === sort.key) ?? columns[0];
    const shown = sorted(jobs, by, sort.order);
    const values = columns.slice(2);
    keyed(head, [{ key: "", label: "" }, ...columns].map((one) => ({ ...one, sort: one.key === sort.key ? sort.order : "" })), (one) => one.key,
      (one) => (one.key === "" ? el("th", { scope: "col" }, el("span", { class: "unseen" }, "Draw")) : column(columns.find((other) => other.key === one.key), sort)));
    keyed(body, (all ? shown : shown.slice(0, SHOWN)).map((job) => ({
      job: { job_id: job.job_id, name: job.name, status: job.status }, on: chosen(job.job_id),
      cells: values.map((one) => ({ label: one.label, kind: one.kind, text: textOf(one, job), best: best[one.key] === job.job_id })),
    })), (one) => one.job.job_id, row);
    rest.hidden = all || shown.length <= SHOWN;
    caption.textContent = `Parameters and series of ${jobs.length === among.length ? "" : `${jobs.length} of `}${among.length} jobs; ● is the best of its column`;
    return shown;
  }

  return { node: el("div", {}, el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Parameters and series" }, el("table", { class: "stack group" }, caption, el("thead", {}, head), body)), rest), show };
}
