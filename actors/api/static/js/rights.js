// The rights of the user, as on the server. If a button is missing because of them, a sentence says so.

import { el } from "./dom.js";

const LEVELS = ["viewer", "researcher", "lead", "admin"];
let session = null;

export function signedInAs(who) {
  session = who;
}

export const may = (level) => LEVELS.indexOf(session?.level) >= LEVELS.indexOf(level);

// Returns `node`, or a sentence that says why it is missing.
export function allowed(level, what, node) {
  return may(level) ? node : el("span", { class: "quiet" }, `${what} needs level ${level}; your level is ${session?.level}.`);
}
