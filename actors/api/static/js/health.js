// Whether all is well, and how the providers and their circuit breakers stand.

import { get } from "./api.js";
import { el, facts, state } from "./dom.js";
import { jobName, jobPath, moment, span } from "./format.js";

const EVERY = 5_000; // milliseconds

function card(provider) {
  const breaker = provider.breaker;
  const opened = breaker.opened === 1 ? "once" : `${breaker.opened} times`;
  return el("section", { class: "card" }, el("h3", {}, provider.name), facts([
    ["Kind", provider.kind], ["Breaker", state(breaker.state.replace("_", " "), breaker.state)],
    ["Opened", breaker.opened ? opened : ""], ["Tries again in", breaker.state === "open" ? span(breaker.rest_seconds) : ""],
    ["Because", breaker.why], ["Dispatching", provider.gate ?? "yes"],
  ]));
}

export function healthView(model) {
  const now = el("div");
  const providers = el("div", { class: "cards" });

  function uncertain(jobId) {
    const job = model.jobs.get(jobId);
    return el("li", {}, el("a", { href: jobPath(jobId) }, job ? jobName(job) : jobId), ": it is not known whether it runs");
  }

  async function readHealth() {
    const health = await get("/health");
    now.replaceChildren(el("p", {}, state(health.status === "ok" ? "all is well" : health.status, health.status)),
      el("ul", { class: "reasons" }, health.reasons.map((reason) => el("li", {}, reason)), health.notes.map((note) => el("li", {}, note)), health.uncertain_jobs.map(uncertain)),
      facts([["Runs since", moment(health.started_at)]]));
  }

  async function readProviders() {
    const answer = await get("/api/providers");
    providers.replaceChildren(...answer.providers.map(card));
  }

  let known = false;
  const all = () => Promise.all([readHealth(), readProviders()]).then(() => { known = true; }, (error) => model.fault(error));
  // In their turns, as whatever is asked for without a person's doing.
  const ask = () => document.hidden || [readHealth, readProviders].forEach((one) => model.pace.ask(one, EVERY));
  const timer = setInterval(ask, EVERY);
  return { node: el("div", {}, el("h1", {}, "Health"), now, el("h2", {}, "Providers"), providers), update: () => {}, refresh: () => (known ? ask() : all()), leave: () => clearInterval(timer) };
}
