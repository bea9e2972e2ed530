// The stream of events, each told once and in order. The browser reconnects with the last id that it saw; what was
// seen before is dropped by its number, so nothing is told twice.

const TYPES = [
  "message", "job_queued", "job_dispatched", "job_handed_over", "job_requeued", "job_progress", "job_cancel_requested",
  "job_outcome_unknown", "job_uncertain", "job_settled", "job_priority_changed", "approval_requested",
  "approval_granted", "approval_rejected", "approval_cancelled", "limits_changed", "rules_changed", "provider_paused", "provider_resumed",
];

export class Live {
  constructor({ onEvent, onGap, onState }) {
    this.onEvent = onEvent;
    this.onGap = onGap;
    this.onState = onState;
    this.last = 0;
    this.count = 0;
    this.source = null;
    this.timer = null;
  }

  open() {
    this.close();
    const source = new EventSource(this.last ? `/api/events?after=${this.last}` : "/api/events");
    this.source = source;
    source.addEventListener("connection", () => this.onState("connected"));
    source.addEventListener("gap", () => this.onGap());
    source.addEventListener("goodbye", () => this.onState("disconnected"));
    for (const type of TYPES) source.addEventListener(type, (message) => this.take(message));
    source.addEventListener("error", () => {
      this.onState("disconnected");
      // A refusal, as while the server starts, closes the source for good: then it is opened anew from here.
      if (source.readyState === EventSource.CLOSED && this.source === source) this.again();
    });
  }

  take(message) {
    const event = JSON.parse(message.data);
    if (typeof event.seq !== "number" || event.seq <= this.last) return;
    this.last = event.seq;
    this.count += 1;
    this.onEvent(event);
  }

  again() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), 2000);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
