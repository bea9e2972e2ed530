// The rows of a list of which only the pages around the one that is looked at are there. Each page is a body of the table;
// two empty rows have the height of what stands before and behind.

import { el, keyed } from "./dom.js";
import { LOOKED_AT } from "./job_pages.js";
import { COLUMNS, jobRow } from "./job_rows.js";

const USUAL = 45; // pixels of a row that was never shown
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
  const table = el("table", { class: "stack jobs" }, el("caption", {}, "Jobs"), el("thead", {}, head), above.node, below.node);
  const bodies = new Map();

  function heightOf(page) {
    return page.height ?? USUAL * page.count;
  }

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
    let [before, behind] = [0, 0];
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
      keyed(body, page.jobs.map((job) => ({ job, chosen: chosen(job.job_id) })), (one) => one.job.job_id, (one) => jobRow(one, choose));
    });
    above.inner.style.height = `${before}px`;
    below.inner.style.height = `${behind}px`;
    above.node.hidden = before === 0;
    below.node.hidden = behind === 0;
    const shown = list.pages.flatMap((page) => page.jobs ?? []);
    all.checked = shown.length > 0 && shown.every((job) => chosen(job.job_id));
  }

  // The numbers of the first and the last page that are in view, or nearly.
  function inView(list) {
    for (const [number, body] of bodies) if (list.pages[number]) list.pages[number].height = body.getBoundingClientRect().height;
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
