// The stream of events, each delivered once and in order. The browser reconnects with the last id that it saw; what was
// seen before is dropped by its number, so no event is delivered twice. A browser hands over all that has arrived in one
// task, which a burst makes long; so events wait here, and are delivered as many at a time as a frame has room for.

import { answers, get } from "./api.js";
import { whileUnseen } from "./unseen.js";

const AGAIN = 2_000; // milliseconds after which a refused stream is opened again
const LOOK = 15_000; // between two checks whether the server is there, as long as the stream is silent
const PATIENCE = 5_000;
const SLICE = 8; // milliseconds in which events are delivered at a time

export class Live {
  constructor({ onEvent, onGap, onState }) {
    this.onEvent = onEvent;
    this.onGap = onGap;
    this.onState = onState;
    this.last = null;
    this.source = null;
    this.again = null;
    this.watch = null;
    this.waiting = []; // events as they came
    this.delivering = null;
    this.lastLook = 0;
    this.stays = () => false; // whether a hidden page keeps its connection
    this.isOpen = false;
    whileUnseen({ close: () => this.close(), open: () => this.isOpen && this.open(), stays: () => !this.source || this.stays() });
    window.addEventListener("online", () => this.source && this.open());
    window.addEventListener("offline", () => this.source && this.onState("disconnected"));
  }

  open() {
    this.close();
    this.isOpen = true;
    const source = new EventSource(`/api/events?named=false${this.last === null ? "" : `&after=${this.last}`}`);
    this.source = source;
    source.addEventListener("connection", (message) => {
      this.last ??= Number(message.lastEventId);
      this.onState("connected");
    });
    source.addEventListener("gap", (message) => {
      const gap = JSON.parse(message.data);
      this.last = gap.resume;
      this.onGap(gap);
    });
    source.addEventListener("goodbye", () => this.onState("stopped"));
    source.addEventListener("message", (message) => this.take(message));
    source.addEventListener("error", () => this.broken(source));
    this.look();
  }

  take(message) {
    const seq = Number(message.lastEventId);
    if (performance.now() - this.lastLook > LOOK / 15) this.look();
    if (!(seq > this.last)) return;
    this.last = seq;
    this.waiting.push(message.data);
    this.delivering ??= setTimeout(() => this.deliver());
  }

  // A hidden page delivers all at once: its timers are slow, and nobody waits for a frame.
  deliver() {
    const end = performance.now() + (document.hidden ? Infinity : SLICE);
    let number = 0;
    while (number < this.waiting.length && performance.now() < end) this.onEvent(JSON.parse(this.waiting[number++]));
    this.waiting.splice(0, number);
    this.delivering = this.waiting.length ? setTimeout(() => this.deliver()) : null;
  }

  // After signing out: what waits is another person's.
  forget() {
    this.close();
    this.isOpen = false;
    this.last = null;
    this.waiting = [];
  }

  broken(source) {
    if (this.source !== source) return;
    this.onState("disconnected");
    // A refusal, as while the server starts or after the session's end, closes the source for good.
    if (source.readyState !== EventSource.CLOSED) return;
    this.again = setTimeout(() => this.open(), AGAIN);
    get("/api/session").then(() => this.source === source && this.onState("refused"), (error) => error.status === 401 && this.onState("signed out"));
  }

  look(after = LOOK) {
    this.lastLook = performance.now();
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.check(), after);
  }

  async check() {
    const source = this.source;
    const there = await answers(PATIENCE);
    if (!source || this.source !== source) return;
    if (there || source.readyState !== EventSource.OPEN) {
      this.look();
    } else {
      this.onState("disconnected");
      this.open();
    }
  }

  close() {
    clearTimeout(this.again);
    clearTimeout(this.watch);
    this.source?.close();
    this.source = null;
  }
}
