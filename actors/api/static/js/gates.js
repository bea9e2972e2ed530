// Whether jobs are dispatched: of the whole queue and of each provider, which an admin pauses and resumes.

import { post } from "./api.js";
import { announce, button, cell, el, keyed, labelled, state, table } from "./dom.js";
import { sentence } from "./in_place.js";
import { allowed, may } from "./rights.js";

const EVERYTHING = "";

const nameOf = (provider) => (provider === EVERYTHING ? "the queue" : provider);

// `changed(queue)` is given the queue as it is after each change.
export function gatesOf({ changed }) {
  const reason = el("input", { id: "pause-reason", autocomplete: "off", "aria-describedby": "pause-why" });
  const why = el("p", { id: "pause-why", class: "bad", role: "alert" });
  const list = table("What is dispatched", ["To", "Dispatching", "Change"]);

  async function set(word, provider, done) {
    const body = provider === EVERYTHING ? {} : { provider };
    if (word === "pause" && reason.value.trim()) body.reason = reason.value.trim();
    why.textContent = "";
    reason.removeAttribute("aria-invalid");
    try {
      changed(await post(`/api/queue/${word}`, body));
      if (word === "pause") reason.value = "";
      announce(done);
    } catch (error) {
      why.textContent = sentence(error);
      if (word === "pause" && body.reason) reason.setAttribute("aria-invalid", "true");
    }
  }

  function row({ name, closed }) {
    const what = nameOf(name);
    const change = closed === null
      ? button("Pause", () => set("pause", name, `${what} is paused`), "", `Pause ${what}`)
      : button("Resume", () => set("resume", name, `${what} is resumed`), "main", `Resume ${what}`);
    return el("tr", {}, el("th", { scope: "row" }, name === EVERYTHING ? "All providers" : name),
      cell("Dispatching", closed === null ? state("yes", "ok") : [state("no", "blocked"), " ", el("strong", {}, closed)], "wide"), cell("", may("admin") ? change : ""));
  }

  // `queue` as the server has it; `providers`: the names of all.
  function show(queue, providers) {
    const names = [...new Set([...providers, ...Object.keys(queue.closed_providers)])];
    keyed(list.body, [{ name: EVERYTHING, closed: queue.paused }, ...names.map((name) => ({ name, closed: queue.closed_providers[name] ?? null }))],
      (one) => `gate ${one.name}`, row);
  }

  const form = el("div", { class: "filters" }, labelled("Reason for a pause, shown with every job that waits", reason));
  return { node: el("div", { class: "gates" }, list.node, allowed("admin", "Pausing", [form, why])), show };
}
