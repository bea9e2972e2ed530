// The supervision tree as it is now, and the messages that were not handled.

import { get, post, remove } from "./api.js";
import { button, cell, el, keyed, state, table } from "./dom.js";
import { span } from "./format.js";
import { allowed, may } from "./rights.js";

const EVERY = 2_000; // milliseconds between two looks at the tree
const MESSAGES = 10_000; // and at the messages that were not handled

function branch(node) {
  const parts = [
    node.uptime === null ? "" : `up ${span(node.uptime)}`,
    node.restarts === 1 ? "1 restart" : `${node.restarts || "no"} restarts`,
    node.mailbox ? `mailbox ${node.mailbox.depth} of ${node.mailbox.capacity}, at most ${node.mailbox.high_water}` : "",
    node.last_exit ? `last ended: ${node.last_exit}` : "",
  ].filter(Boolean);
  return el("li", {}, state(node.state, node.state === "running" ? "ok" : node.state), " ", el("strong", {}, node.id), " ",
    el("span", { class: "quiet" }, parts.join(" · ")),
    node.children?.length ? el("ul", {}, node.children.map(branch)) : "");
}

const inWords = (message) => Object.entries(message).filter(([, value]) => value !== null && typeof value !== "object")
  .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(" · ");

export function actorsView(model) {
  const tree = el("ul", { class: "tree" });
  const held = table("Messages whose handling crashed their actor", ["Message", "What to do"], false);
  const dead = table("Messages that reached nobody", ["Message"], false);

  function quarantined(message) {
    const path = `/api/actors/quarantine/${message.id ?? message.message_id}`;
    const act = (asking) => () => asking().then(all, (error) => model.fault(error));
    const two = el("span", { class: "actions" }, button("Replay", act(() => post(`${path}/replay`))), button("Drop", act(() => remove(path)), "danger"));
    return el("tr", {}, cell("", inWords(message), "wide"), cell("", allowed("admin", "Changing that", two)));
  }

  async function readTree() {
    tree.replaceChildren(...(await get("/api/actors")).children.map(branch));
  }

  async function readHeld() {
    const crashed = await get("/api/actors/quarantine");
    keyed(held.body, crashed.quarantine.map((one, at) => ({ ...one, at })), (one) => one.at, quarantined);
    held.node.hidden = crashed.quarantine.length === 0;
  }

  async function readDead() {
    const lost = await get("/api/actors/dead-letters");
    keyed(dead.body, lost.dead_letters.map((one, at) => ({ ...one, at })), (one) => one.at, ({ at, ...one }) => el("tr", {}, cell("", inWords(one), "wide")));
    dead.node.hidden = lost.dead_letters.length === 0;
  }

  let known = false;
  const all = () => Promise.all([readTree(), readHeld(), readDead()]).then(() => { known = true; }, (error) => model.fault(error));

  // In their turns, as whatever is asked for without a person's doing.
  function ask() {
    if (document.hidden) return;
    model.pace.ask(readTree, EVERY);
    model.pace.ask(readHeld, MESSAGES);
    model.pace.ask(readDead, MESSAGES);
  }

  held.node.hidden = dead.node.hidden = true;
  if (!may("lead")) return { node: el("div", {}, el("h1", {}, "Actors"), allowed("lead", "Looking at the actors")), update: () => {} };
  const timer = setInterval(ask, EVERY);
  return { node: el("div", {}, el("h1", {}, "Actors"), tree, held.node, dead.node), update: () => {}, refresh: () => (known ? ask() : all()), leave: () => clearInterval(timer) };
}
