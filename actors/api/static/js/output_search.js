// A search in the whole of a job's output, of which the page shows the end alone: the server reads it and sends the lines.

import { el } from "./dom.js";
import { placesOf, readable } from "./output_text.js";

const size = (bytes) => (bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${Math.round(bytes / 1_000_000)} MB`);
const lines = (number) => `${number} ${number === 1 ? "line" : "lines"}`;

// A line with the first place of `wanted` marked; its colours are left out.
function marked(text, wanted) {
  const shown = readable(text);
  const [at] = placesOf(shown, wanted, 1);
  return at === undefined ? shown : [shown.slice(0, at), el("mark", {}, shown.slice(at, at + wanted.length)), shown.slice(at + wanted.length)];
}

// `path`: of the output.
export function outputSearch(path) {
  const status = el("p", { class: "quiet", role: "status" });
  const body = el("tbody");
  const list = el("div", { class: "table short", tabindex: 0, role: "region", "aria-label": "Lines that were found" },
    el("table", {}, el("caption", { class: "unseen" }, "Lines that were found"), el("thead", { class: "unseen" }, el("tr", {}, el("th", { scope: "col" }, "Line"), el("th", { scope: "col" }, "Text"))), body));
  const node = el("div", { hidden: true }, status, list);
  let source = null;
  let drawing = null;
  let found = [];

  const say = (text) => { status.textContent = text; };

  function draw() {
    drawing = null;
    body.append(...found.map(([line, text, wanted]) => el("tr", {}, el("th", { scope: "row" }, line), el("td", {}, el("code", {}, marked(text, wanted))))));
    found = [];
    list.hidden = body.childElementCount === 0;
  }

  function stop() {
    source?.close();
    source = null;
    cancelAnimationFrame(drawing);
    drawing = null;
  }

  function search(wanted) {
    stop();
    found = [];
    body.replaceChildren();
    node.hidden = wanted === "";
    list.hidden = true;
    if (wanted === "") return;
    let number = 0;
    say("Reading the output ...");
    source = new EventSource(`${path}/search?${new URLSearchParams({ text: wanted })}`);
    const on = (name, does) => source.addEventListener(name, (message) => does(JSON.parse(message.data)));
    on("found", ({ line, text }) => {
      number += 1;
      found.push([line, text, wanted]);
      drawing ??= requestAnimationFrame(draw);
    });
    on("searched", ({ bytes }) => say(`${lines(number)} found in the first ${size(bytes)} ...`));
    on("end", (end) => {
      source.close();
      say(end.all ? `${number === 0 ? "Not found" : `${lines(number)} found`} in ${lines(end.lines)}, ${size(end.bytes)}.` : `The first ${lines(number)} that were found; there may be more.`);
    });
    on("unreadable", ({ detail }) => { source.close(); say(detail); });
    on("goodbye", () => { source.close(); say("The search was broken off: the supervisor stops."); });
    source.addEventListener("error", () => { source.close(); say("The search was broken off: the supervisor does not answer."); });
  }

  return { node, search, stop };
}
