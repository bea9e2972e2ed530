// Whether all is well, and how the providers and their circuit breakers stand.

import { get } from "./api.js";
import { el, facts, state } from "./dom.js";
import { moment } from "./format.js";

function card(provider) {
  const breaker = provider.breaker ?? {};
  return el("section", { class: "card" }, el("h2", {}, provider.name),
    facts([
      ["Kind", provider.kind], ["Breaker", breaker.state ? state(breaker.state.replace("_", " "), breaker.state) : ""],
      ["Opened", breaker.opened ? `${breaker.opened} times` : ""], ["Gate", provider.gate],
    ]));
}

export function healthView(model) {
  const now = el("div");
  const providers = el("div", { class: "cards" });

  async function refresh() {
    const health = await get("/health");
    now.replaceChildren(el("p", {}, state(health.status === "ok" ? "all is well" : health.status, health.status)),
      health.reasons?.length ? el("ul", {}, health.reasons.map((reason) => el("li", {}, reason))) : "",
      facts([["Runs since", moment(health.started_at)], ["Events seen here", String(model.live.count)]]));
    const answer = await get("/api/providers");
    providers.replaceChildren(...(answer.providers ?? answer).map(card));
  }

  const ask = () => refresh().catch((error) => model.fault(error));
  const timer = setInterval(ask, 5000);
  ask();
  return { node: el("div", {}, el("h1", {}, "Health"), now, el("h2", {}, "Providers"), providers), update: () => {}, leave: () => clearInterval(timer) };
}
