// Notifications of the browser, if somebody asks for them: that one of their own jobs ended or waits for an approval. The
// browser asks for the permission after a click, and only then. What a notification says is text.

import { announce, button, el } from "./dom.js";
import { jobName, jobPath } from "./format.js";

const WANTED = "greenroom-notices"; // in the browser's storage, by user
const AT_ONCE = 5; // notifications; more of them become one
const WINDOW = 2_000; // milliseconds in which events are gathered
const ENDS = ["completed", "failed", "cancelled"];
const END_EVENTS = ["job_status_changed", "approval_rejected", "approval_expired"]; // that may say that a job has ended
const THERE = "Notification" in window;

export class Notices {
  constructor(model) {
    this.model = model;
    this.user = null;
    this.gathered = [];
    this.timer = null;
    this.isOn = false; // as `on` was when it was asked last: asking the browser takes long, and events come by thousands
    this.node = el("span", { class: "notices" });
  }

  get on() {
    return THERE && this.user !== null && Notification.permission === "granted" && localStorage.getItem(WANTED) === this.user;
  }

  signedIn(user) {
    this.user = user;
    this.show();
  }

  signedOut() {
    this.user = null;
    this.gathered = [];
    clearTimeout(this.timer);
    this.timer = null;
    this.show();
  }

  show() {
    this.isOn = this.on;
    if (!THERE || this.user === null) return this.node.replaceChildren();
    if (Notification.permission === "denied") return this.node.replaceChildren("The browser blocks notifications of this page.");
    return this.node.replaceChildren(this.isOn ? button("Stop notifying me", () => this.stop()) : button("Notify me", () => this.begin(), "", "Notify me when one of my jobs ends or waits for an approval"));
  }

  async begin() {
    if (Notification.permission !== "granted") await Notification.requestPermission();
    if (Notification.permission === "granted") localStorage.setItem(WANTED, this.user);
    announce(this.on ? "You are notified about your jobs while this page is open" : "The browser does not allow notifications");
    this.show();
    this.node.querySelector("button")?.focus();
  }

  stop() {
    localStorage.removeItem(WANTED);
    announce("You are no longer notified");
    this.show();
    this.node.querySelector("button")?.focus();
  }

  // An event of the stream, each of which comes once.
  note(event) {
    if (!this.isOn || event.user_id !== this.user || !event.job_id) return;
    const word = event.type === "approval_requested" ? "waits for an approval" : END_EVENTS.includes(event.type) && ENDS.includes(event.status) ? event.status : null;
    if (word === null) return;
    this.gathered.push({ jobId: event.job_id, word });
    this.timer ??= setTimeout(() => this.tell(), WINDOW);
  }

  async tell() {
    this.timer = null;
    const found = [...new Map(this.gathered.map((one) => [one.jobId, one])).values()];
    this.gathered = [];
    if (!this.on) return;
    if (found.length > AT_ONCE) return this.make(`${found.length} of your jobs ended or wait for an approval`, "", "greenroom-many", "#/jobs");
    for (const { jobId, word } of found) {
      const job = this.model.jobs.get(jobId) ?? (await this.model.fetch(jobId).catch(() => null));
      this.make(`${job ? jobName(job) : jobId}: ${word}`, job?.error_message ?? "", `greenroom-${jobId}`, jobPath(jobId));
    }
  }

  // Two pages that are open at once show the same `tag`, which the browser shows once.
  make(title, body, tag, place) {
    let made = null;
    try {
      made = new Notification(title.slice(0, 200), { body: body.slice(0, 300), tag });
    } catch {
      return; // a phone's browser shows none from a page
    }
    made.onclick = () => {
      window.focus();
      location.hash = place;
      made.close();
    };
  }
}
