// A job's output while it is written: followed, searched, downloaded. A connection that breaks goes on where it was, by the
// cursor of its last piece.

import { button, el, labelled } from "./dom.js";
import { outputSearch } from "./output_search.js";
import { placesOf, readable, Tail } from "./output_text.js";
import { whileUnseen } from "./unseen.js";

const MOST = 200_000; // characters
const FOUND = 1_000; // places of a search that are counted
const AGAIN = 5_000; // milliseconds after which a refused stream is opened again
const EMPTY = "Nothing was written yet.";
const REFUSED = "The output cannot be followed now: too many pages are open, or the supervisor starts. Trying again by itself.";

export function outputOf(jobId, model) {
  const path = `/api/jobs/${encodeURIComponent(jobId)}/logs`;
  const box = el("pre", { tabindex: 0, role: "region", "aria-label": "Output" });
  const note = el("p", { class: "quiet" }, EMPTY);
  const follow = el("input", { type: "checkbox" });
  const search = el("input", { type: "search", id: "output-search", autocomplete: "off", maxlength: 200 });
  const found = el("span", { class: "quiet", role: "status" });
  const tail = new Tail(MOST);
  const whole = outputSearch(path);
  const all = button("Search the whole output", () => whole.search(search.value));
  let text = "";
  let place = 0; // of the places that were found, the one that is shown
  let cursor = null;
  let source = null;
  let drawing = null;
  let retry = null;
  let over = false;
  follow.checked = true;
  box.hidden = all.hidden = true;

  function draw() {
    drawing = null;
    box.hidden = false;
    text = readable(tail.gather());
    const top = box.scrollTop;
    mark();
    if (follow.checked) box.scrollTop = box.scrollHeight;
    else box.scrollTop = top;
    if (tail.cut) note.textContent = "These are the last 200,000 characters. Previous and Next look in them; the download has all of it.";
    all.hidden = !tail.cut;
  }

  // Marks the place that was found; the others stand as they are.
  function mark() {
    const wanted = search.value;
    const places = placesOf(text, wanted, FOUND);
    if (places.length === 0) {
      box.textContent = text;
      found.textContent = wanted ? (tail.cut ? "Not found in what is shown." : "Not found.") : "";
      return null;
    }
    place = ((place % places.length) + places.length) % places.length;
    const at = places[place];
    const marked = el("mark", {}, text.slice(at, at + wanted.length));
    box.replaceChildren(text.slice(0, at), marked, text.slice(at + wanted.length));
    found.textContent = `${place + 1} of ${places.length === FOUND ? `${FOUND} or more` : places.length}`;
    return marked;
  }

  function go(by) {
    follow.checked = false;
    place += by;
    const marked = mark();
    if (!marked) return;
    box.scrollTop += marked.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
    marked.scrollIntoView({ block: "nearest" });
  }

  search.addEventListener("input", () => { place = 0; whole.search(""); go(0); });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); go(event.shiftKey ? -1 : 1); } });
  follow.addEventListener("change", () => { if (follow.checked) box.scrollTop = box.scrollHeight; });
  // Who scrolls up wants to read; who scrolls to the end wants to follow.
  box.addEventListener("scroll", () => { follow.checked = box.scrollHeight - box.scrollTop - box.clientHeight < 40; }, { passive: true });

  function open() {
    source?.close();
    source = new EventSource(cursor === null ? `${path}/stream` : `${path}/stream?cursor=${encodeURIComponent(cursor)}`);
    const add = (message, piece) => {
      cursor = message.lastEventId;
      tail.add(piece);
      if (!tail.cut) note.textContent = "";
      drawing ??= requestAnimationFrame(draw);
    };
    source.addEventListener("output", (message) => add(message, JSON.parse(message.data).text));
    source.addEventListener("notice", (message) => add(message, `\n[${JSON.parse(message.data).text}]\n`));
    source.addEventListener("unreadable", (message) => {
      source.close();
      note.textContent = JSON.parse(message.data).detail;
    });
    source.addEventListener("end", () => {
      over = true;
      source.close();
      if (!tail.gather()) note.textContent = "It wrote nothing.";
    });
    source.addEventListener("open", () => { if (note.textContent === REFUSED) note.textContent = tail.gather() ? "" : EMPTY; });
    // A refusal closes the source for good.
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED || !model.connected) return;
      note.textContent = REFUSED;
      clearTimeout(retry);
      retry = setTimeout(again, AGAIN);
    });
  }

  function again() {
    if (!over && source?.readyState === EventSource.CLOSED && model.connected && !unseen.isClosed) open();
  }

  const unseen = whileUnseen({ close: () => source?.close(), open: again });

  const node = el("div", {}, el("div", { class: "filters" }, labelled("Search", search), button("Previous", () => go(-1), "", "Previous place"), button("Next", () => go(1), "", "Next place"), all, found,
    el("label", { class: "choice" }, follow, "Follow"), el("a", { href: path, download: `${jobId}.log` }, "Download")), whole.node, note, box);
  open();
  return {
    node,
    again,
    stop: () => { unseen.stop(); clearTimeout(retry); whole.stop(); source?.close(); source = null; cancelAnimationFrame(drawing); },
  };
}
