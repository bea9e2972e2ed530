// What the page knows: jobs by id, kept true by asking again for each one that an event names. Rows are the truth; an
// event only says where to look.

import { get } from "./api.js";
import { Live } from "./live.js";

const AT_ONCE = 20;
const TOGETHER = 150; // milliseconds in which changes are gathered

export class Model {
  constructor({ onChange, onState, onFault }) {
    this.jobs = new Map();
    this.onChange = onChange;
    this.fault = onFault;
    this.dirty = new Set();
    this.timer = null;
    this.live = new Live({
      onEvent: (event) => this.note(event),
      onGap: () => this.load(),
      onState: (word) => this.stateChanged(word, onState),
    });
    this.state = "new";
  }

  stateChanged(word, tell) {
    const again = word === "connected" && this.state === "disconnected";
    if (word !== this.state) {
      this.state = word;
      tell(word);
    }
    if (again) this.load();
  }

  async load() {
    try {
      const answer = await get("/api/jobs?limit=500");
      this.jobs = new Map(answer.jobs.map((job) => [job.job_id, job]));
      this.onChange();
    } catch (error) {
      this.fault(error);
    }
  }

  put(job) {
    this.jobs.set(job.job_id, job);
    this.onChange();
  }

  async fetch(jobId) {
    this.put(await get(`/api/jobs/${encodeURIComponent(jobId)}`));
  }

  note(event) {
    if (event.job_id) this.dirty.add(event.job_id);
    this.timer ??= setTimeout(() => this.refresh(), TOGETHER);
  }

  async refresh() {
    const ids = [...this.dirty];
    this.dirty.clear();
    this.timer = null;
    if (ids.length > AT_ONCE) return this.load();
    const found = await Promise.allSettled(ids.map((id) => get(`/api/jobs/${encodeURIComponent(id)}`)));
    for (const one of found) if (one.status === "fulfilled") this.jobs.set(one.value.job_id, one.value);
    this.onChange();
    return undefined;
  }
}
