// A value that is changed where it stands. Its button opens a field: Enter saves, Escape leaves, the arrow keys count up and
// down. What the server refuses stays in the field, with the server's sentence beside it.

import { Unreachable } from "./api.js";
import { announce, button, el } from "./dom.js";

const UNKNOWN = "The server did not answer, so it is not known whether this holds now.";
let made = 0;

export const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

export const sentence = (error) => (error instanceof Unreachable ? UNKNOWN : error.message);

// What was typed, as the server takes it: a whole number, or the text itself, which it then refuses in its own words.
export const asTyped = (text) => (/^[+-]?\d+$/.test(text.trim()) ? Number(text) : text);

// `save(text)` and, where a value can be taken back, `reset.act()` change it; both are async. `update(text, resettable)` shows
// the value that holds; an open field keeps what is typed there.
export function inPlace({ label, save, reset = null, hint = "" }) {
  made += 1;
  const id = `in-place-${made}`;
  const open = el("button", { type: "button", class: "value", "aria-expanded": "false", "aria-controls": id, onclick: begin });
  const field = el("input", { inputmode: "numeric", autocomplete: "off", size: 6, "aria-label": label, "aria-describedby": `${id}-hint ${id}-why` });
  const why = el("span", { id: `${id}-why`, class: "bad", role: "alert" });
  const back = reset ? button(reset.word, () => change(reset.act, reset.done), "", `${reset.word}: ${label}`) : null;
  const form = el("form", { id, class: "in-place", novalidate: true, hidden: true, onsubmit: submit, onkeydown: keyed }, field,
    el("button", { class: "main", "aria-label": `Save: ${label}` }, "Save"), back, button("Leave", close, "", `Leave as it is: ${label}`),
    el("span", { id: `${id}-hint`, class: "quiet" }, hint), why);
  let value = "";
  let busy = false;

  function refuse(text) {
    why.textContent = text;
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  function begin() {
    if (!form.hidden) return close();
    refuse("");
    field.value = /^\d+$/.test(value) ? value : "";
    form.hidden = false;
    open.setAttribute("aria-expanded", "true");
    field.focus();
    return field.select();
  }

  function close() {
    form.hidden = true;
    open.setAttribute("aria-expanded", "false");
    open.focus();
  }

  async function change(act, done) {
    if (busy) return;
    busy = true;
    refuse("");
    try {
      await act();
      announce(done);
      if (node.isConnected) close();
    } catch (error) {
      refuse(sentence(error));
      field.focus();
    }
    busy = false;
  }

  function submit(event) {
    event.preventDefault();
    change(() => save(field.value), `${label}: ${field.value || "as before"}`);
  }

  function keyed(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.target === field && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const now = asTyped(field.value);
      if (typeof now === "number") field.value = String(Math.max(0, now + (event.key === "ArrowUp" ? 1 : -1)));
    }
  }

  function update(text, resettable = false) {
    value = text;
    setText(open, text);
    open.setAttribute("aria-label", `${label}: ${text}. Change it`);
    if (back) back.hidden = !resettable;
  }

  const node = el("span", { class: "edited" }, open, form);
  return { node, update };
}
