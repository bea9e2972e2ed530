// What happened while this page was open, newest first, by number: nothing is missing and nothing there twice.

import { cell, el, keyed, table } from "./dom.js";
import { jobName, jobPath } from "./format.js";
import { details, when, words } from "./event_text.js";

const SHOWN = 300;

export function eventsView(model) {
  let named = null; // the newest event when names of jobs were asked for
  const count = el("p", { class: "quiet" });
  const list = table("Events, newest first", ["Number", "Time", "Event", "Job", "Details"]);

  function row({ event, name }) {
    return el("tr", {}, cell("Number", event.seq, "number"), cell("", when(event), "time"), cell("", words(event)),
      cell("", event.job_id ? el("a", { href: jobPath(event.job_id) }, name) : ""), cell("", details(event), "wide"));
  }

  function update() {
    const shown = model.events.slice(-SHOWN).reverse().map((event) => {
      const job = model.jobs.get(event.job_id);
      return { event, name: job ? jobName(job) : event.job_id };
    });
    keyed(list.body, shown, (one) => one.event.seq, row);
    const first = model.events[0];
    count.textContent = first ? `From number ${first.seq} on, when this page was opened.${model.gaps ? " Older ones were removed in between." : ""}` : "Nothing has happened since this page was opened.";
    list.node.hidden = !first;
    const newest = model.events.at(-1)?.seq;
    if (newest === named || shown.every(({ event }) => !event.job_id || model.jobs.has(event.job_id))) return;
    named = newest;
    model.pace.ask(model.lookAtRecent, 5_000);
  }

  return { node: el("div", {}, el("h1", {}, "Events"), count, list.node), update };
}
