// The page: who is signed in, which view is shown, whether the server is there.

import { whenSignedOut } from "./api.js";
import { actorsView } from "./actors.js";
import { approvalsView } from "./approvals.js";
import { healthView } from "./health.js";
import { jobView } from "./job.js";
import { jobsView } from "./jobs.js";
import { Model } from "./model.js";
import { queueView } from "./queue.js";
import { signInView, signOut, whoAmI } from "./session.js";

const VIEWS = { jobs: jobsView, queue: queueView, approvals: approvalsView, actors: actorsView, health: healthView };
const main = document.getElementById("main");
const nav = document.querySelector("nav");
const who = document.getElementById("who");
const connection = document.getElementById("connection");
const badge = document.getElementById("waiting-approvals");
let view = null;
let signedIn = false;
let lastTrue = null;

const model = new Model({
  onChange: () => { view?.update(); countApprovals(); },
  onState: (word) => {
    if (word === "connected") {
      lastTrue = null;
      connection.textContent = "";
    } else if (signedIn) {
      lastTrue ??= new Date();
      connection.textContent = `Disconnected. This is how things stood at ${lastTrue.toLocaleTimeString([], { hour12: false })}; trying again.`;
    }
  },
  onFault: (error) => { if (signedIn && model.state === "connected") connection.textContent = error.message; },
});

function countApprovals() {
  const number = [...model.jobs.values()].filter((job) => job.queue_status === "blocked").length;
  badge.hidden = number === 0;
  badge.textContent = String(number);
  badge.setAttribute("aria-label", `${number} waiting`);
}

function show(next, focus) {
  view?.leave?.();
  view = next;
  main.replaceChildren(next.node);
  next.update();
  document.title = `${main.querySelector("h1")?.textContent ?? ""} · Greenroom`;
  if (focus) main.focus();
}

function route(focus = true) {
  const [, name = "jobs", id] = location.hash.split("/");
  if (!signedIn) return;
  for (const link of nav.querySelectorAll("a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name === "jobs" && id) show(jobView(model, decodeURIComponent(id)), focus);
  else show((VIEWS[name] ?? jobsView)(model), focus);
}

function askToSignIn(refused) {
  signedIn = false;
  model.live.close();
  nav.hidden = who.hidden = true;
  connection.textContent = "";
  show(signInView(refused, begin), false);
}

async function begin() {
  const { session, refused } = await whoAmI();
  if (!session) return askToSignIn(refused);
  signedIn = true;
  nav.hidden = who.hidden = false;
  who.querySelector("span").textContent = `${session.user_id} (${session.level})`;
  model.live.last = 0;
  model.live.open();
  await model.load();
  return route(false);
}

whenSignedOut(() => askToSignIn(""));
document.getElementById("sign-out").addEventListener("click", () => signOut().then(() => askToSignIn(""), (error) => model.fault(error)));
window.addEventListener("hashchange", () => (location.hash.includes("code=") ? begin() : route()));
begin();
