// Who may what, as the server has it: what somebody may not do is said in words where the button would stand.

import { el } from "./dom.js";

const LEVELS = ["viewer", "researcher", "lead", "admin"];
let session = null;

export function signedInAs(who) {
  session = who;
}

export const may = (level) => LEVELS.indexOf(session?.level) >= LEVELS.indexOf(level);

// `node`, or why it is not there.
export function allowed(level, what, node) {
  return may(level) ? node : el("span", { class: "quiet" }, `${what} takes somebody of level ${level}; you are ${session?.level}.`);
}
