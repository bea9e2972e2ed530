// The page: who is signed in, which view is shown, whether the server is there.

import { whenSignedOut } from "./api.js";
import { actorsView } from "./actors.js";
import { approvalsView } from "./approvals.js";
import { devicesView } from "./devices.js";
import { eventsView } from "./events.js";
import { tick } from "./format.js";
import { groupView } from "./group.js";
import { healthView } from "./health.js";
import { jobView } from "./job.js";
import { jobsView } from "./jobs.js";
import { Model } from "./model.js";
import { Notices } from "./notices.js";
import { queueView } from "./queue.js";
import { may, signedInAs } from "./rights.js";
import { signInView, signOut, whoAmI } from "./session.js";
import { submitView } from "./submit.js";

const VIEWS = { jobs: jobsView, submit: submitView, queue: queueView, devices: devicesView, approvals: approvalsView, events: eventsView, actors: actorsView, health: healthView };
const main = document.getElementById("main");
const nav = document.querySelector("nav");
const who = document.getElementById("who");
const connection = document.getElementById("connection");
const fault = document.getElementById("fault");
const badge = document.getElementById("waiting-approvals");
let view = null;
let signedIn = false;
let lastTrue = null;

const model = new Model({ onChange: changed, onState: connectionIs, onMissed: () => view?.refresh?.(), onFault: (error) => { fault.textContent = error.message; } });
const notices = new Notices(model);
model.onAny = (event) => notices.note(event);
model.live.stays = () => notices.on;
document.getElementById("notices").append(notices.node);

function changed() {
  view?.update();
  const number = model.activity?.blocked ?? 0;
  badge.hidden = number === 0;
  badge.textContent = String(number);
}

const WHY = {
  stopped: "the supervisor was stopped",
  refused: "the supervisor takes no more connections of yours; close other pages of it",
  disconnected: "the supervisor does not answer",
};

function connectionIs(word) {
  if (word === "signed out") askToSignIn("The session has ended.");
  if (!signedIn) return;
  if (word === "connected") {
    connection.textContent = "";
    lastTrue = null;
    return;
  }
  lastTrue ??= new Date();
  const at = lastTrue.toLocaleTimeString([], { hour12: false });
  connection.textContent = `Disconnected: ${WHY[word]}. This is how things stood at ${at}. Trying again by itself.`;
}

function show(next, focus) {
  view?.leave?.();
  view = next;
  model.pace.clear();
  model.onEvent = next.note ?? null;
  fault.textContent = "";
  main.replaceChildren(next.node);
  next.update();
  if (model.connected) {
    next.refresh?.();
    model.pace.ask(model.lookAtActivity, 10_000);
  }
  document.title = `${main.querySelector("h1")?.textContent ?? "Job"} · Greenroom`;
  if (focus) {
    main.focus();
    scrollTo(0, 0);
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}

function route(focus = true) {
  if (!signedIn) return;
  const [place, query = ""] = location.hash.split("?", 2);
  const [, name = "jobs", id] = place.split("/");
  for (const link of nav.querySelectorAll("a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const asked = new URLSearchParams(query);
  if (name === "jobs" && id) show(jobView(model, decoded(id)), focus);
  else if (name === "group" && id) show(groupView(model, decoded(id), asked), focus);
  else show((VIEWS[name] ?? jobsView)(model, asked), focus);
}

function askToSignIn(refused) {
  signedIn = false;
  notices.signedOut();
  model.forget();
  nav.hidden = who.hidden = true;
  connection.textContent = "";
  show(signInView(refused, begin), false);
}

async function begin() {
  const { session, refused } = await whoAmI();
  if (!session) return askToSignIn(refused);
  signedIn = true;
  signedInAs(session);
  nav.hidden = who.hidden = false;
  nav.querySelector("[href='#/actors']").hidden = !may("lead");
  who.querySelector("span").textContent = `${session.user_id} (${session.level}${session.sees === "own" ? ", sees own jobs" : ""})`;
  model.forget();
  notices.signedIn(session.user_id);
  model.live.open();
  return route(false);
}

whenSignedOut(() => signedIn && askToSignIn("The session has ended."));
document.getElementById("sign-out").addEventListener("click", () => signOut().then(() => askToSignIn(""), (error) => model.fault(error)));
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
window.addEventListener("hashchange", () => (location.hash.includes("code=") ? begin() : route()));
setInterval(tick, 1_000);
begin();
