// A job's output while it is written. A connection that breaks goes on where it was, by the cursor of its last piece.

import { el } from "./dom.js";

const MOST = 200_000; // characters
// Colours are left out, and of a line that a progress bar wrote over itself the last state stands.
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;
const OVERWRITTEN = /[^\n]*\r(?=[^\n])/g;

export function outputOf(path) {
  const box = el("pre", { tabindex: 0, role: "region", "aria-label": "Output" });
  box.hidden = true;
  const told = el("p", { class: "quiet" }, "Nothing was written yet.");
  let text = "";
  let cursor = null;
  let source = null;
  let drawing = null;
  let over = false;

  function draw() {
    drawing = null;
    box.hidden = false;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.textContent = text.replaceAll("\r\n", "\n").replace(ESCAPES, "").replace(OVERWRITTEN, "");
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  function open() {
    source?.close();
    source = new EventSource(cursor === null ? path : `${path}?cursor=${encodeURIComponent(cursor)}`);
    source.addEventListener("output", (message) => {
      cursor = message.lastEventId;
      text = (text + JSON.parse(message.data).text).slice(-MOST);
      told.textContent = "";
      drawing ??= requestAnimationFrame(draw);
    });
    source.addEventListener("notice", (message) => {
      cursor = message.lastEventId;
      text = `${text}\n[${JSON.parse(message.data).text}]\n`.slice(-MOST);
      drawing ??= requestAnimationFrame(draw);
    });
    source.addEventListener("unreadable", (message) => {
      source.close();
      told.textContent = JSON.parse(message.data).detail;
    });
    source.addEventListener("end", () => {
      over = true;
      source.close();
      if (!text) told.textContent = "It wrote nothing.";
    });
  }

  open();
  return {
    node: el("div", {}, told, box),
    // After a refusal, as while the server starts, the browser does not ask again by itself.
    again: () => { if (!over && source?.readyState === EventSource.CLOSED) open(); },
    stop: () => { source?.close(); source = null; cancelAnimationFrame(drawing); },
  };
}
