// What all views share: the stream of events, the jobs that were seen, how busy it is. Rows are the truth: an event only says
// what to ask for again, and each view asks for what it shows.

import { get, Unreachable } from "./api.js";
import { Live } from "./live.js";
import { oncePerFrame, Pace } from "./pace.js";

const KEPT = 1_000; // events
const KNOWN = 2_000; // jobs, of which other views have the names
const RECENT = 100; // jobs that are asked for at once
const ACTIVITY = 10_000; // milliseconds between two looks at how busy it is

export class Model {
  constructor({ onChange, onState, onFault, onMissed }) {
    this.jobs = new Map();
    this.events = [];
    this.gaps = 0;
    this.activity = null;
    this.version = 0; // grows with every change
    this.state = "new";
    this.onState = onState;
    this.onFault = onFault;
    this.onMissed = onMissed;
    this.onEvent = null; // of the view that is shown
    this.onAny = null;
    this.draw = oncePerFrame(onChange);
    this.pace = new Pace((error) => this.fault(error));
    this.lookAtActivity = async () => { this.activity = await get("/api/queue/activity"); this.changed(); };
    this.lookAtRecent = () => this.load(`limit=${RECENT}`);
    this.live = new Live({
      onEvent: (event) => this.note(event),
      onGap: () => { this.gaps += 1; this.missed(); },
      onState: (word) => this.stateChanged(word),
    });
  }

  get connected() {
    return this.state === "connected";
  }

  forget() {
    this.live.forget();
    this.pace.stop();
    this.pace.clear();
    this.jobs.clear();
    this.events = [];
    this.activity = null;
    this.state = "new";
  }

  stateChanged(word) {
    if (word === this.state) return;
    this.state = word;
    // What changed while no events came is asked for now; from here on events name it.
    if (word === "connected") {
      this.pace.start();
      this.missed();
    } else {
      this.pace.stop();
    }
    this.onState(word);
  }

  missed() {
    this.onMissed();
    this.pace.ask(this.lookAtActivity);
    this.changed();
  }

  fault(error) {
    if (error instanceof Unreachable) this.live.look(0);
    else if (error.status !== 429) this.onFault(error);
  }

  note(event) {
    this.events.push(event);
    if (this.events.length > KEPT) this.events.shift();
    const job = this.jobs.get(event.job_id);
    if (job && event.type === "job_progress") this.jobs.set(event.job_id, advanced(job, event));
    else this.pace.ask(this.lookAtActivity, ACTIVITY);
    this.onEvent?.(event);
    this.onAny?.(event);
    this.changed();
  }

  // A job as it was read.
  know(job) {
    this.jobs.delete(job.job_id);
    this.jobs.set(job.job_id, job);
    if (this.jobs.size > KNOWN) this.jobs.delete(this.jobs.keys().next().value);
  }

  put(job) {
    this.know(job);
    this.changed();
  }

  changed() {
    this.version += 1;
    this.draw();
  }

  async fetch(jobId) {
    try {
      const job = await get(`/api/jobs/${encodeURIComponent(jobId)}`);
      this.put(job); // a name was given where its id differs
      return job;
    } catch (error) {
      if (error.status !== 404) throw error;
      this.jobs.delete(jobId);
      this.changed();
      return null;
    }
  }

  // A page of the list of jobs.
  async load(query) {
    const answer = await get(`/api/jobs?${query}`);
    for (const job of answer.jobs.slice().reverse()) this.know(job);
    this.changed();
    return answer;
  }
}

// A job after a report of progress, which has all that changed.
export function advanced(job, event) {
  return { ...job, status: event.status ?? job.status, progress: event.progress ?? job.progress };
}
