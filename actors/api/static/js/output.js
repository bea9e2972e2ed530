// A job's output while it is written. A connection that breaks goes on where it was, by the cursor of its last piece.

import { el } from "./dom.js";
import { readable, Tail } from "./output_text.js";

const MOST = 200_000; // characters

export function outputOf(path) {
  const box = el("pre", { tabindex: 0, role: "region", "aria-label": "Output" });
  box.hidden = true;
  const note = el("p", { class: "quiet" }, "Nothing was written yet.");
  const tail = new Tail(MOST);
  let cursor = null;
  let source = null;
  let drawing = null;
  let over = false;

  function draw() {
    drawing = null;
    box.hidden = false;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.textContent = readable(tail.gather());
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  function open() {
    source?.close();
    source = new EventSource(cursor === null ? path : `${path}?cursor=${encodeURIComponent(cursor)}`);
    source.addEventListener("output", (message) => {
      cursor = message.lastEventId;
      tail.add(JSON.parse(message.data).text);
      note.textContent = "";
      drawing ??= requestAnimationFrame(draw);
    });
    source.addEventListener("notice", (message) => {
      cursor = message.lastEventId;
      tail.add(`\n[${JSON.parse(message.data).text}]\n`);
      drawing ??= requestAnimationFrame(draw);
    });
    source.addEventListener("unreadable", (message) => {
      source.close();
      note.textContent = JSON.parse(message.data).detail;
    });
    source.addEventListener("end", () => {
      over = true;
      source.close();
      if (!tail.gather()) note.textContent = "It wrote nothing.";
    });
  }

  open();
  return {
    node: el("div", {}, note, box),
    // After a refusal, as while the server starts, the browser does not ask again by itself.
    again: () => { if (!over && source?.readyState === EventSource.CLOSED) open(); },
    stop: () => { source?.close(); source = null; cancelAnimationFrame(drawing); },
  };
}
