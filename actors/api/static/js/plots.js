// Small plots: bars over time, drawn with attributes alone, their numbers as text beside them.

import { el, svg } from "./dom.js";

const WIDTH = 300;
const HEIGHT = 50;

export function bars(title, inWords) {
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, class: "plot", role: "img", "aria-label": title });
  const words = el("p", { class: "quiet" });
  const node = el("section", { class: "card" }, el("h2", {}, title), plot, words);

  function show(values, from = "", to = "") {
    const most = Math.max(1, ...values);
    const step = WIDTH / Math.max(values.length, 1);
    plot.replaceChildren(svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
    values.forEach((value, index) => {
      const height = (value / most) * (HEIGHT - 4);
      plot.append(svg("rect", { x: (index * step + 0.5).toFixed(2), y: (HEIGHT - height).toFixed(2), width: Math.max(step - 1, 0.5).toFixed(2), height: height.toFixed(2) }));
    });
    plot.append(svg("text", { x: 0, y: HEIGHT + 13 }, from), svg("text", { x: WIDTH, y: HEIGHT + 13, "text-anchor": "end" }, to));
    words.textContent = values.length ? inWords(values.reduce((all, value) => all + value, 0), most, values.length) : "Nothing yet";
  }

  return { node, show };
}
