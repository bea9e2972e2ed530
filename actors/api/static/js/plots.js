// Small plots: bars over time, drawn with attributes alone, their numbers told in words beside them.

import { el } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 50;

function svg(tag, attributes, text) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  if (text !== undefined) node.textContent = text;
  return node;
}

export function bars(title) {
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, class: "plot", role: "img", "aria-label": title });
  const words = el("p", { class: "quiet" });
  const node = el("section", { class: "card" }, el("h2", {}, title), plot, words);

  function show(values, from, to) {
    const most = Math.max(1, ...values);
    const step = WIDTH / Math.max(values.length, 1);
    plot.replaceChildren(svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
    values.forEach((value, index) => {
      const height = (value / most) * (HEIGHT - 4);
      plot.append(svg("rect", { x: (index * step + 0.5).toFixed(2), y: (HEIGHT - height).toFixed(2), width: Math.max(step - 1, 0.5).toFixed(2), height: height.toFixed(2) }));
    });
    plot.append(svg("text", { x: 0, y: HEIGHT + 13 }, from), svg("text", { x: WIDTH, y: HEIGHT + 13, "text-anchor": "end" }, to));
    const sum = values.reduce((all, value) => all + value, 0);
    words.textContent = values.some((value) => value > 0) ? `${Math.round(sum)} in all, ${Math.round(most * 10) / 10} at the most` : "Nothing yet";
  }

  return { node, show };
}
