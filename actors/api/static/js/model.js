// The page's state: jobs by id, fetched again whenever an event names them. Rows are the truth; an event only names the
// job to fetch.

import { get, Unreachable } from "./api.js";
import { Live } from "./live.js";

const PAGE = 500;
const ONE_BY_ONE = 3; // changed jobs that are fetched one by one; more come as one page
const GATHER = 100; // milliseconds in which changes are gathered
const SPACE = 1_000; // and between two rounds of fetching, whatever happens: a token has so many requests a minute
const KEPT = 1_000; // events

export class Model {
  constructor({ onChange, onState, onFault }) {
    this.jobs = new Map();
    this.events = [];
    this.gaps = 0;
    this.older = null; // the cursor where older jobs than these begin
    this.version = 0; // grows with every change
    this.state = "new";
    this.onState = onState;
    this.onChange = onChange;
    this.onFault = onFault;
    this.dirty = new Set();
    this.whole = false;
    this.missing = true; // changes may have been missed
    this.timer = null;
    this.asking = false;
    this.next = 0;
    this.live = new Live({
      onEvent: (event) => this.note(event),
      onGap: () => { this.gaps += 1; this.missed(); },
      onState: (word) => this.stateChanged(word),
    });
  }

  forget() {
    this.live.close();
    this.live.last = null;
    this.jobs.clear();
    this.events = [];
    this.state = "new";
  }

  stateChanged(word) {
    if (word === this.state) return;
    this.state = word;
    // What changed while no events came is fetched now; from here on events name it.
    if (word === "connected") this.missed();
    this.onState(word);
  }

  missed() {
    this.missing = true;
    this.soon(true);
  }

  fault(error) {
    if (error instanceof Unreachable) this.live.look(0);
    else if (error.status !== 429) this.onFault(error);
  }

  note(event) {
    this.events.push(event);
    if (this.events.length > KEPT) this.events.shift();
    const job = this.jobs.get(event.job_id);
    if (job && event.type === "job_progress") {
      this.jobs.set(event.job_id, { ...job, status: event.status ?? job.status, progress: event.progress ?? job.progress });
    } else if (event.job_id) {
      this.dirty.add(event.job_id);
    }
    this.soon(false);
  }

  put(job) {
    this.jobs.set(job.job_id, job);
    this.changed();
  }

  changed() {
    this.version += 1;
    this.onChange();
  }

  soon(whole) {
    this.whole ||= whole;
    if (this.asking) return;
    this.timer ??= setTimeout(() => this.round(), Math.max(GATHER, this.next - performance.now()));
  }

  async round() {
    const ids = [...this.dirty];
    const whole = this.whole || ids.length > ONE_BY_ONE;
    this.dirty.clear();
    this.whole = false;
    this.timer = null;
    this.asking = true;
    try {
      await (whole ? this.load() : Promise.all(ids.map((id) => this.fetch(id))));
    } catch (error) {
      for (const id of ids) this.dirty.add(id);
      this.whole ||= whole;
      this.fault(error);
    }
    this.asking = false;
    this.next = performance.now() + SPACE;
    this.changed();
    if (this.state === "connected" && (this.dirty.size || this.whole)) this.soon(false);
  }

  async fetch(jobId) {
    try {
      const job = await get(`/api/jobs/${encodeURIComponent(jobId)}`);
      this.jobs.set(job.job_id, job); // a name was given where that differs
      return job;
    } catch (error) {
      if (error.status !== 404) throw error;
      this.jobs.delete(jobId);
      return null;
    }
  }

  async load() {
    const anew = this.missing;
    this.missing = false;
    try {
      const answer = await get(`/api/jobs?limit=${PAGE}`);
      const last = answer.jobs.at(-1)?.job_id;
      const older = anew || answer.next === null ? [] : [...this.jobs].filter(([id]) => id < last);
      if (older.length === 0) this.older = answer.next;
      this.jobs = new Map([...answer.jobs.map((job) => [job.job_id, job]), ...older]);
    } catch (error) {
      this.missing ||= anew;
      throw error;
    }
  }

  async loadOlder() {
    const answer = await get(`/api/jobs?limit=${PAGE}&cursor=${encodeURIComponent(this.older)}`);
    for (const job of answer.jobs) this.jobs.set(job.job_id, job);
    this.older = answer.next;
    this.changed();
  }
}
