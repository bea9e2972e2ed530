// In place of the server's stream of events one that a test or a benchmark writes: `await send(first, number)`.
window.EventSource = class extends EventTarget {
  static CLOSED = 2;
  constructor() {
    super();
    this.readyState = 1;
    window.stream = this;
    setTimeout(() => this.dispatchEvent(new MessageEvent("connection", { data: "{}", lastEventId: "0" })));
  }
  close() { this.readyState = 2; }
};
window.send = (from, number) => new Promise((sent) => {
  for (let seq = from; seq < from + number; seq += 1) {
    const event = { type: "job_status_changed", seq, job_id: `job-${seq}`, status: "running", user_id: "ana" };
    const data = JSON.stringify({ ...event, time: "2024-01-01T00:00:00.000Z", correlation_id: "c".repeat(32) });
    window.stream.dispatchEvent(new MessageEvent("message", { data, lastEventId: String(seq) }));
  }
  requestAnimationFrame(() => requestAnimationFrame(sent));
});
