// Elements from data. Text goes in as text, never as markup: what a job calls itself is untrusted.

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Show `items` below `parent`, keeping each one's node while its key stays: so focus and selection survive an update.
export function keyed(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const print = JSON.stringify(item);
    let node = old.get(key);
    old.delete(key);
    if (!node || node.dataset.print !== print) {
      const fresh = make(item);
      fresh.dataset.key = key;
      fresh.dataset.print = print;
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
  return [...node.querySelectorAll("a, button, input, select")].indexOf(active);
}

function restoreFocus(node, index) {
  if (index === null) return;
  [...node.querySelectorAll("a, button, input, select")][index]?.focus();
}

export function table(caption, columns, stack = true) {
  const body = el("tbody");
  const head = el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)));
  return { body, node: el("div", { class: "table" }, el("table", { class: stack ? "stack" : "" }, el("caption", {}, caption), el("thead", {}, head), body)) };
}

export function cell(label, content, kind = "") {
  return el("td", { "data-label": label, class: kind }, content === null || content === undefined ? "" : content);
}

export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export function state(word, kind = word) {
  return el("span", { class: `state ${kind}` }, word);
}

export function tell(text) {
  document.getElementById("told").textContent = text;
}
