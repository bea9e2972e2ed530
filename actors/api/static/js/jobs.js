// The list of jobs: filtered and in any order, as the address says; some of them chosen for an action; how busy it is above.

import { activityOf } from "./activity.js";
import { bulkOf } from "./bulk.js";
import { button, el } from "./dom.js";
import { ORDER, addressOf, filterForm, filterOf, queryOf, selectionOf } from "./job_filters.js";
import { JobPages } from "./job_pages.js";
import { jobTable } from "./job_table.js";
import { oncePerFrame } from "./pace.js";

const TYPING = 300; // milliseconds without a key until the list is asked for
const AT_TOP = 200; // pixels scrolled at which the newest jobs are still looked at

export function jobsView(model, asked = new URLSearchParams()) {
  let filter = filterOf(asked);
  let list = null;
  let newer = 0;
  let typing = null;
  const draw = oncePerFrame(show);
  const bulk = bulkOf(model, { changed: draw, acted: () => refresh(), selection: () => selectionOf(filter) });
  const table = jobTable({ sortBy, choose: bulk.choose, chosen: bulk.has, chooseShown: (on) => bulk.chooseAll(shownJobs(), on) });
  const form = filterForm(filter, changed);
  const activity = activityOf();
  const count = el("p", { class: "quiet", role: "status" });
  const more = button("Show more jobs", () => list.load(list.pages.length).catch((error) => model.fault(error)));
  const news = button("", () => { scrollTo(0, 0); readNewest(); }, "main news");

  const shownJobs = () => list.pages.flatMap((page) => page.jobs ?? []);
  const fill = () => list.fill(() => table.inView(list)).catch((error) => model.fault(error));

  function restart() {
    if (list) list.over = true;
    list = listed();
    newer = 0;
    return fill();
  }

  function changed(next, atOnce = true) {
    // Nothing is done to jobs that are no longer listed.
    if (queryOf({ ...next, ...ORDER }).toString() !== queryOf({ ...filter, ...ORDER }).toString()) bulk.clear();
    filter = next;
    history.replaceState(null, "", addressOf(filter));
    form.show(filter);
    clearTimeout(typing);
    typing = setTimeout(restart, atOnce ? 0 : TYPING);
  }

  function sortBy(sort) {
    const usual = ["created", "started", "ended"].includes(sort) ? "desc" : "asc";
    const other = usual === "asc" ? "desc" : "asc";
    changed({ ...filter, sort, order: filter.sort === sort && filter.order === usual ? other : usual });
  }

  // What events cause: one page, what is in view and not there first, and the rest in later turns.
  async function readAgain() {
    const missing = list.missing(table.inView(list));
    await (missing === null ? list.refresh() : list.load(missing));
    if (list.dirty.size > 0 || list.missing(table.inView(list)) !== null) model.pace.ask(readAgain);
  }

  function readNewest() {
    newer = 0;
    list.dirty.add(0);
    model.pace.ask(readAgain);
    draw();
  }

  function look() {
    const seen = table.inView(list);
    list.look(seen);
    draw();
    return list.missing(seen) !== null && model.connected;
  }

  const scrolled = oncePerFrame(() => { if (look()) fill(); });
  const settled = oncePerFrame(() => { if (look() && !list.loading) model.pace.ask(readAgain); });
  const listed = () => new JobPages(queryOf(filter), (job) => model.know(job), () => { draw(); settled(); });

  function note(event) {
    if (!event.job_id) return;
    const known = list.note(event);
    if (known) model.pace.ask(readAgain);
    else if (known === null && scrollY < AT_TOP) readNewest();
    else if (known === null && event.type === "job_queued") newer += 1;
  }

  function show() {
    if (!table.show(list, filter)) draw();
    const words = `${list.complete ? "" : "more than "}${list.count} ${list.count === 1 ? "job" : "jobs"}`;
    if (list.pages.length && count.textContent !== words) count.textContent = words;
    more.hidden = list.complete || list.pages.length === 0;
    news.hidden = newer === 0;
    news.textContent = newer === 1 ? "1 newer job" : `${newer} newer jobs`;
    bulk.show();
    if (model.activity) activity.show(model.activity);
  }

  function refresh() {
    if (list.pages.length === 0) return fill();
    list.pages.forEach((page, number) => page.jobs && list.dirty.add(number));
    return model.pace.ask(readAgain);
  }

  list = listed();
  window.addEventListener("scroll", scrolled, { passive: true });
  window.addEventListener("resize", scrolled, { passive: true });
  const leave = () => {
    window.removeEventListener("scroll", scrolled);
    window.removeEventListener("resize", scrolled);
    for (const one of [draw, scrolled, settled]) one.cancel();
    clearTimeout(typing);
    list.over = true;
    activity.stop();
  };
  const node = el("div", {}, el("h1", {}, "Jobs"), activity.node, form.node, count, bulk.node, news, table.node, more);
  return { node, update: draw, refresh, note, leave };
}
