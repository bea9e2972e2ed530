// Elements from data. Text goes in as text, never as markup: names that jobs have are untrusted.

const NS = "http://www.w3.org/2000/svg";
const FOCUSABLE = "a, button, input, select, summary";

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const el = (tag, properties = {}, ...children) => filled(document.createElement(tag), properties, children);
export const svg = (tag, properties = {}, ...children) => filled(document.createElementNS(NS, tag), properties, children);

const prints = new WeakMap(); // by node: the item that it shows, as text

// Show `items` below `parent`, keeping each one's node while its key stays: so focus and selection survive an update.
export function keyed(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const print = JSON.stringify(item);
    let node = old.get(key);
    old.delete(key);
    if (!node || prints.get(node) !== print) {
      const fresh = make(item);
      fresh.dataset.key = key;
      prints.set(fresh, print);
      if (node) {
        const focused = focusPath(node);
        if (place === node) place = fresh;
        node.replaceWith(fresh);
        restoreFocus(fresh, focused);
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

function focusPath(node) {
  const active = document.activeElement;
  if (!active || !node.contains(active)) return null;
  return [...node.querySelectorAll(FOCUSABLE)].indexOf(active);
}

function restoreFocus(node, index) {
  if (index !== null) [...node.querySelectorAll(FOCUSABLE)][index]?.focus();
}

export function table(caption, columns, stack = true) {
  const body = el("tbody");
  const head = el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)));
  const inner = el("table", { class: stack ? "stack" : "" }, el("caption", {}, caption), el("thead", {}, head), body);
  return { body, node: el("div", { class: "table" }, inner) };
}

// `title`: the whole of what the sheet may cut.
export function cell(label, content, kind = "", title = null) {
  return el("td", { "data-label": label, class: kind, title }, content === null || content === undefined ? "" : content);
}

export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function state(word, kind = word) {
  return el("span", { class: `state ${kind}` }, word);
}

// How much of `most` is used or done, as a bar that has its numbers as text, too.
export function gauge(role, label, value, most) {
  const part = most > 0 ? Math.min(1, value / most) : 1;
  const numbers = { "aria-valuemin": 0, "aria-valuemax": most, "aria-valuenow": Math.min(value, most), "aria-label": label };
  return svg("svg", { class: `gauge${role === "meter" && value >= most ? " full" : ""}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", role, ...numbers },
    svg("rect", { class: "whole", width: 100, height: 8 }), svg("rect", { class: "part", width: (part * 100).toFixed(2), height: 8 }));
}

export function button(name, does, kind = "", label = name) {
  return el("button", { type: "button", class: kind || null, "aria-label": label === name ? null : label, onclick: does }, name);
}

// A field with its label.
export const labelled = (label, input) => el("div", { class: "field" }, el("label", { for: input.id }, label), input);

export function announce(text) {
  document.getElementById("announcement").textContent = text;
}
