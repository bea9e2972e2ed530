// The supervision tree as it is now.

import { get } from "./api.js";
import { el, state } from "./dom.js";
import { span } from "./format.js";

function branch(node) {
  const told = [
    node.uptime === null ? "" : `up ${span(node.uptime)}`,
    node.restarts ? `${node.restarts} restarts` : "no restarts",
    node.mailbox ? `mailbox ${node.mailbox.depth} of ${node.mailbox.capacity} (at most ${node.mailbox.high_water})` : "",
    node.last_exit ? `last ended: ${node.last_exit}` : "",
  ].filter(Boolean);
  return el("li", {}, state(node.state, node.state === "running" ? "ok" : node.state), " ", el("strong", {}, node.id), " ",
    el("span", { class: "quiet" }, told.join(" · ")),
    node.children?.length ? el("ul", {}, node.children.map(branch)) : "");
}

export function actorsView(model) {
  const tree = el("div");
  async function refresh() {
    const answer = await get("/api/actors");
    tree.replaceChildren(el("ul", { class: "tree" }, (answer.actors ?? answer.children ?? answer.tree ?? []).map(branch)));
  }
  const ask = () => refresh().catch((error) => model.fault(error));
  const timer = setInterval(ask, 2000);
  ask();
  return { node: el("div", {}, el("h1", {}, "Actors"), tree), update: () => {}, leave: () => clearInterval(timer) };
}
