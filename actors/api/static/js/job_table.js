// The rows of a list of which only the pages around the one that is looked at are there. Each page is a body of the table;
// two empty rows have the height of what stands before and behind.

import { el, keyed } from "./dom.js";
import { LOOKED_AT } from "./job_pages.js";
import { COLUMNS, jobRow } from "./job_rows.js";

const USUAL = 45; // pixels of a row that was never shown
const BATCH = 20; // new rows in one frame: making, laying out and painting them takes a browser some milliseconds
const AHEAD = 800; // pixels before the end at which the next page is asked for

export function jobTable({ sortBy, choose, chosen, chooseShown }) {
  const buttons = new Map();
  const all = el("input", { type: "checkbox", "aria-label": "Select the jobs shown" });
  all.addEventListener("change", () => chooseShown(all.checked));
  const head = el("tr", {}, el("th", { scope: "col" }, all), COLUMNS.map(([sort, label]) => {
    if (sort === null) return el("th", { scope: "col" }, label);
    const press = el("button", { type: "button", class: "sort", onclick: () => sortBy(sort) }, label);
    const column = el("th", { scope: "col" }, press);
    buttons.set(sort, column);
    return column;
  }));
  const space = () => { const inner = el("td", { colspan: COLUMNS.length + 1 }); return { inner, node: el("tbody", { class: "space", "aria-hidden": "true", "data-key": "space" }, el("tr", {}, inner)) }; };
  const [above, below] = [space(), space()];
  const table = el("table", { class: "stack jobs" }, el("caption", { class: "unseen" }, "Jobs"), el("thead", {}, head), above.node, below.node);
  const bodies = new Map();
  const filled = new WeakMap(); // by body: what it shows

  function heightOf(page) {
    return page.height ?? USUAL * page.count;
  }

  // Shows the jobs of a page, of which at most `budget` were not there; `above`: the page stands above what is looked at, so
  // its last rows come first. Returns how many rows are new. The jobs of a page are another list as soon as one of them
  // changes: what is shown already is not looked at again.
  function fill(body, all, budget, above) {
    const before = filled.get(body);
    const there = body.childElementCount;
    const fromEnd = there === 0 ? above : before.fromEnd;
    const number = Math.min(all.length, there + budget);
    const jobs = fromEnd ? all.slice(all.length - number) : all.slice(0, number);
    const marked = jobs.map((job) => chosen(job.job_id));
    if (before?.all === all && before.marked.length === number && before.marked.every((one, at) => one === marked[at])) return 0;
    filled.set(body, { all, marked, fromEnd });
    keyed(body, jobs.map((job, at) => ({ job, chosen: marked[at] })), (one) => one.job.job_id, (one) => jobRow(one, choose));
    return Math.max(0, number - there);
  }

  // Returns whether all is shown; if not, the rest is for the next frame.
  function show(list, filter) {
    for (const [sort, column] of buttons) {
      if (sort === filter.sort) column.setAttribute("aria-sort", filter.order === "asc" ? "ascending" : "descending");
      else column.removeAttribute("aria-sort");
    }
    for (const [number, body] of bodies) {
      if (list.pages[number]?.jobs) continue;
      body.remove();
      bodies.delete(number);
    }
    let [before, behind, left] = [0, 0, BATCH];
    list.pages.forEach((page, number) => {
      if (page.jobs === null) {
        if (number < list.first) before += heightOf(page);
        else behind += heightOf(page);
        return;
      }
      if (!bodies.has(number)) bodies.set(number, el("tbody", { "data-page": number }));
      const body = bodies.get(number);
      const next = [...bodies].filter(([other]) => other > number).sort(([a], [b]) => a - b)[0]?.[1] ?? below.node;
      if (body.nextElementSibling !== next) table.insertBefore(body, next);
      left -= fill(body, page.jobs, left, number < list.first);
      const absent = heightOf(page) * (1 - body.childElementCount / Math.max(page.count, 1));
      if (number < list.first) before += absent;
      else behind += absent;
    });
    above.inner.style.height = `${before}px`;
    below.inner.style.height = `${behind}px`;
    above.node.hidden = before === 0;
    below.node.hidden = behind === 0;
    const shown = list.pages.flatMap((page) => page.jobs ?? []);
    all.checked = shown.length > 0 && shown.every((job) => chosen(job.job_id));
    return [...bodies].every(([number, body]) => body.childElementCount === list.pages[number].jobs.length);
  }

  // The numbers of the first and the last page that are in view, or nearly.
  function inView(list) {
    for (const [number, body] of bodies) if (list.pages[number] && body.childElementCount === list.pages[number].count) list.pages[number].height = body.getBoundingClientRect().height;
    const top = table.getBoundingClientRect().top;
    const header = head.getBoundingClientRect().height;
    let edge = top + header;
    let first = null;
    let last = 0;
    list.pages.forEach((page, number) => {
      const end = edge + heightOf(page);
      if (end > -AHEAD && edge < innerHeight + AHEAD) {
        first ??= number;
        last = number;
      }
      edge = end;
    });
    if (edge < innerHeight + AHEAD && !list.complete) last = list.pages.length;
    first ??= Math.max(0, list.pages.length - 1);
    return [first, Math.min(Math.max(first, last), first + LOOKED_AT - 1)];
  }

  return { node: el("div", { class: "table" }, table), show, inView };
}
