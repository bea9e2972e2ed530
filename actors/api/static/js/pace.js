// What events cause is spread over time: rendering to one a frame, requests to one a second. What a person asks for (a view,
// a page of a list, an action) does not wait here.

const SPACE = 1_000; // milliseconds between the beginnings of two requests
const LATER = 5_000; // after a refusal because of too many requests

// `render`, at most once a frame however often the result is called; not at all while the page is hidden.
export function oncePerFrame(render) {
  let asked = null;
  const call = () => {
    asked ??= requestAnimationFrame(() => {
      asked = null;
      render();
    });
  };
  call.cancel = () => { cancelAnimationFrame(asked); asked = null; };
  return call;
}

// Requests in their turn. `ask(refresh, every)` has `refresh`, an async function, called once, and not sooner than `every`
// milliseconds after its last call; asking again before that changes nothing.
export class Pace {
  constructor(onFault) {
    this.onFault = onFault;
    this.due = new Map(); // by refresh: when it may begin
    this.began = new WeakMap();
    this.free = 0;
    this.timer = null;
    this.busy = false;
    this.open = false;
  }

  ask(refresh, every = 0) {
    if (this.due.has(refresh)) return;
    const last = this.began.get(refresh);
    this.due.set(refresh, last === undefined ? 0 : last + every);
    this.plan();
  }

  // Until `start`, nothing is asked: the server is not there.
  stop() {
    this.open = false;
    clearTimeout(this.timer);
    this.timer = null;
  }

  start() {
    this.open = true;
    this.plan();
  }

  clear() {
    this.due.clear();
  }

  plan() {
    if (!this.open || this.busy || this.due.size === 0) return;
    const [, first] = this.next();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.run(), Math.max(first, this.free) - performance.now());
  }

  next() {
    return [...this.due].reduce((found, one) => (one[1] < found[1] ? one : found));
  }

  async run() {
    this.timer = null;
    if (!this.open || this.due.size === 0) return;
    const [refresh] = this.next();
    const now = performance.now();
    this.due.delete(refresh);
    this.began.set(refresh, now);
    this.free = now + SPACE;
    this.busy = true;
    try {
      await refresh();
    } catch (error) {
      if (error.status === 429) this.due.set(refresh, now + LATER);
      else this.onFault(error);
    }
    this.busy = false;
    this.plan();
  }
}
