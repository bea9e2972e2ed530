// A field of a form: its label, a hint, and the server's sentence when it is refused.

import { el } from "./dom.js";

let made = 0;

// `paths`: the server's names for it. `control(id)` makes the element; `extra(id)`, if given, what stands below it.
export function formField({ paths, label, hint = "", make }) {
  made += 1;
  const id = `asked-${made}`;
  const why = el("p", { id: `${id}-why`, class: "bad" });
  const help = el("p", { id: `${id}-hint`, class: "quiet hint" }, hint);
  const input = make(id);
  input.id = id;
  input.setAttribute("aria-describedby", `${id}-hint ${id}-why`);
  const node = el("div", { class: "asked" }, el("label", { for: id }, label), input, help, why);

  function refuse(text) {
    why.textContent = text;
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  return { paths, node, input, refuse, control: () => input };
}

export const WHOLE = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

// What was typed as the server takes it. What is not a number, or none that JavaScript can hold exactly, stays a text, which the
// server then refuses in its own words.
export function typed(text, type) {
  const plain = text.trim();
  if (type === "str" || !NUMBER.test(plain)) return text;
  const number = Number(plain);
  if (type === "int") return WHOLE.test(plain) && Number.isSafeInteger(number) ? number : text;
  return Number.isFinite(number) ? number : text;
}
