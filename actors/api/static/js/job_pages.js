// A list of jobs page by page, as far as somebody has scrolled. A page is known by the cursor where it begins; the jobs of the
// pages around the one that is looked at are kept, those of the others are asked for again when they come into view.

import { get } from "./api.js";
import { advanced } from "./model.js";

export const PAGE = 50; // a browser lays out so many rows within a frame or two
const AROUND = 1; // pages kept before and behind those that are looked at
export const LOOKED_AT = 7; // pages at most, however high the window is

export class JobPages {
  constructor(query, know, changed) {
    this.query = query;
    this.know = know; // takes each job that was read
    this.changed = changed; // called when a page was read
    this.pages = []; // {next: cursor, jobs (null: not kept), count, height (pixels, when it was last shown)}
    this.place = new Map(); // of each kept job: the number of its page
    this.dirty = new Set(); // pages in which something changed
    this.first = 0; // the pages that are looked at
    this.last = 0;
    this.loading = null;
    this.over = false; // another list took its place
  }

  get complete() {
    return this.pages.length > 0 && this.pages.at(-1).next === null;
  }

  // Pages `first` to `last` are looked at: those that are not near are dropped.
  look([first, last]) {
    [this.first, this.last] = [first, last];
    this.pages.forEach((page, number) => {
      if (page.jobs !== null && (number < first - AROUND || number > last + AROUND)) this.drop(number);
    });
  }

  drop(number) {
    for (const job of this.pages[number].jobs) if (this.place.get(job.job_id) === number) this.place.delete(job.job_id);
    this.pages[number].jobs = null;
    this.dirty.delete(number);
  }

  // Reads one page. What lies behind it is forgotten where the page now ends elsewhere.
  async load(number) {
    const cursor = number === 0 ? null : this.pages[number - 1]?.next;
    if (cursor === undefined || (number > 0 && cursor === null)) return;
    const query = new URLSearchParams(this.query);
    query.set("limit", PAGE);
    if (cursor !== null) query.set("cursor", cursor);
    this.dirty.delete(number);
    const answer = await get(`/api/jobs?${query}`);
    if (this.over || (number > 0 && this.pages[number - 1]?.next !== cursor)) return;
    const before = this.pages[number];
    if (before?.jobs) this.drop(number);
    if (before && before.next !== answer.next) this.forgetFrom(number + 1);
    this.pages[number] = { next: answer.next, jobs: answer.jobs, count: answer.jobs.length, height: before?.height ?? null };
    for (const job of answer.jobs) {
      this.place.set(job.job_id, number);
      this.know(job);
    }
    this.changed();
  }

  // How many jobs the pages have that were read so far.
  get count() {
    return this.pages.reduce((sum, page) => sum + page.count, 0);
  }

  forgetFrom(number) {
    for (let one = this.pages.length - 1; one >= number; one -= 1) {
      if (this.pages[one].jobs) this.drop(one);
      this.pages.pop();
    }
  }

  // Reads what is looked at and not there; one such round at a time.
  fill(wanted) {
    this.loading ??= this.fillNow(wanted).finally(() => { this.loading = null; });
    return this.loading;
  }

  async fillNow(wanted) {
    for (let number = this.missing(wanted()); number !== null && !this.over; number = this.missing(wanted())) {
      const [known, at] = [this.pages.length, number];
      await this.load(number);
      if (this.pages.length === known && !this.pages[at]?.jobs) return; // it is not there any more
    }
  }

  missing([first, last]) {
    for (let number = first; number <= last; number += 1) {
      if (number === this.pages.length && !this.complete) return number;
      if (this.pages[number] && this.pages[number].jobs === null) return number;
    }
    return null;
  }

  // Reads the page with changes that is nearest to what is looked at.
  async refresh() {
    const [nearest] = [...this.dirty].sort((a, b) => Math.abs(a - this.first) - Math.abs(b - this.first));
    if (nearest !== undefined) await this.load(nearest);
  }

  // An event about a job: true where its page has to be read again, false where nothing is to be read, null: not in the list.
  note(event) {
    const number = this.place.get(event.job_id);
    if (number === undefined) return null;
    if (event.type === "job_progress") {
      const page = this.pages[number];
      page.jobs = page.jobs.map((job) => (job.job_id === event.job_id ? advanced(job, event) : job));
      return false;
    }
    this.dirty.add(number);
    return true;
  }
}
