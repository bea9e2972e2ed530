// Several jobs at once. What will happen is asked first, as a dry run, and shown; then it is done to exactly those jobs.

import { post } from "./api.js";
import { announce, button, el, labelled } from "./dom.js";
import { allowed, may } from "./rights.js";

const SHOWN = 20; // jobs of an answer
const ACTIONS = {
  cancel: { word: "Cancel", done: "cancelled", level: "researcher", kind: "danger" },
  retry: { word: "Retry", done: "submitted again", level: "researcher", kind: "" },
  prioritise: { word: "Prioritise", done: "prioritised", level: "lead", kind: "" },
  remove: { word: "Remove", done: "removed", level: "researcher", kind: "danger" },
};

const jobs = (number) => `${number} ${number === 1 ? "job" : "jobs"}`;

function listed(results) {
  const rows = results.slice(0, SHOWN).map((one) => el("li", {}, el("strong", {}, one.name ?? one.job_id), ` (${one.user_id}, ${one.status})`,
    one.problem ? [": ", el("span", { class: "bad" }, one.problem)] : "", one.warnings?.length ? `: ${one.warnings.join("; ")}` : ""));
  return [el("ul", {}, rows), results.length > SHOWN ? el("p", { class: "quiet" }, `and ${results.length - SHOWN} more`) : ""];
}

// `changed()` is called when others are chosen, `acted()` after an action; `selection()` is the filter of the list as a
// selection, or null.
export function bulkOf(model, { changed, acted, selection }) {
  const chosen = new Set(); // ids
  const words = el("span", { role: "status" });
  const every = button("Select all that fit the filters", () => start());
  const node = el("div", { class: "bulk", role: "group", "aria-label": "Selected jobs" });
  const dialog = el("dialog", { "aria-labelledby": "bulk-title" });
  let everything = null; // a selection by filters, instead of chosen jobs

  function start() {
    everything = selection();
    chosen.clear();
    changed();
  }

  function clear() {
    everything = null;
    chosen.clear();
    changed();
  }

  const asked = () => everything ?? { jobs: [...chosen] };

  async function begin(name) {
    try {
      const extra = name === "prioritise" ? { priority_override: null } : {};
      const dry = await post(`/api/jobs/${name}`, { ...asked(), ...extra, dry_run: true });
      confirmWith(name, dry);
    } catch (error) {
      model.fault(error);
    }
  }

  function confirmWith(name, dry) {
    const { word, done, kind } = ACTIONS[name];
    const impossible = new Set(dry.results.filter((one) => one.problem !== null).map((one) => one.job_id));
    const possible = dry.left.filter((jobId) => !impossible.has(jobId));
    const priority = el("input", { type: "number", min: 0, max: 50, step: 1, id: "bulk-priority" });
    const said = el("p", { role: "status" });
    const go = button(`${word} ${jobs(possible.length)}`, () => act(), kind || "main");
    const back = button("Go back", () => dialog.close());
    const lines = [
      impossible.size ? `With ${jobs(impossible.size)} it is not possible.` : "",
      dry.left_out ? `${jobs(dry.left_out)} left out: submitted again before.` : "",
      name === "remove" ? "Their directories, events and keys go with them." : "",
    ].filter(Boolean);

    async function act() {
      go.disabled = true;
      const outcome = { done: 0, failed: [] };
      try {
        let left = possible;
        while (left.length) {
          const extra = name === "prioritise" ? { priority_override: priority.value === "" ? null : Number(priority.value) } : {};
          const answer = await post(`/api/jobs/${name}`, { jobs: left, ...extra });
          outcome.done += answer.done;
          outcome.failed.push(...answer.results.filter((one) => one.problem !== null));
          left = answer.left;
          said.textContent = left.length ? `${outcome.done} ${done}, ${left.length} left ...` : "";
        }
      } catch (error) {
        said.textContent = error.message;
        go.disabled = false;
        return;
      }
      const sentence = `${jobs(outcome.done)} ${done}${outcome.failed.length ? `; with ${outcome.failed.length} it was not possible` : ""}.`;
      announce(sentence);
      clear();
      acted();
      if (outcome.failed.length === 0) return dialog.close();
      dialog.replaceChildren(el("h2", { id: "bulk-title" }, sentence), ...listed(outcome.failed), el("p", { class: "actions" }, button("Close", () => dialog.close(), "main")));
      dialog.querySelector("button").focus();
    }

    go.disabled = possible.length === 0;
    dialog.replaceChildren(el("h2", { id: "bulk-title" }, `${word}: ${jobs(possible.length)} would be ${done}`), ...lines.map((line) => el("p", {}, line)), ...listed(dry.results),
      name === "prioritise" ? labelled("Priority, 0 to 50; empty takes it away", priority) : "", said, el("p", { class: "actions" }, go, back));
    if (!dialog.isConnected) node.after(dialog);
    dialog.showModal();
    back.focus();
  }

  const bar = el("div", { class: "actions" }, words, Object.entries(ACTIONS).map(([name, { word, level, kind }]) => (may(level) ? button(word, () => begin(name), kind) : "")),
    allowed("researcher", "Changing jobs", ""), button("Select none", clear));
  node.append(bar, el("p", { class: "actions" }, every));

  function show() {
    const number = chosen.size;
    bar.hidden = number === 0 && everything === null;
    every.parentNode.hidden = selection() === null || everything !== null || !may("researcher");
    const text = everything ? "All that fit the filters are selected." : `${jobs(number)} selected.`;
    if (words.textContent !== text) words.textContent = text;
  }

  const put = (job, on) => (on ? chosen.add(job.job_id) : chosen.delete(job.job_id));
  return {
    node,
    show,
    clear,
    has: (jobId) => everything !== null || chosen.has(jobId),
    choose: (job, on) => { everything = null; put(job, on); changed(); },
    chooseAll: (all, on) => { everything = null; for (const job of all) put(job, on); changed(); },
  };
}
