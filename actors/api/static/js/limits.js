// The limits that hold, each changed in its row by an admin.

import { put, remove } from "./api.js";
import { cell, el, keyed, table } from "./dom.js";
import { asTyped, inPlace, setText } from "./in_place.js";
import { allowed, may } from "./rights.js";

const MEANING = {
  total: "Jobs of everybody", per_user: "Jobs of one user", per_organisation: "Jobs of one organisation", per_team: "Jobs of one team",
  fair_share: "The limit of teams holds", per_provider_per_user: "Jobs of one user at a provider with a queue of its own",
  count_clusters: "Jobs at such providers count in the first four limits, too",
};
const OF_PROVIDER = "per_provider.";
const NONE = "none";

const meaning = (name) => (name.startsWith(OF_PROVIDER) ? `Jobs at ${name.slice(OF_PROVIDER.length)}` : MEANING[name] ?? name);
const inWords = (value) => (value === null ? NONE : value === true ? "yes" : value === false ? "no" : String(value));

// Every limit, those among them that a provider has not.
export function everyLimit(limits, providers) {
  const named = new Set(limits.map((one) => one.name));
  const missing = providers.map((name) => `${OF_PROVIDER}${name}`).filter((name) => !named.has(name));
  return [...limits, ...missing.map((name) => ({ name, value: null, source: "" }))];
}

// Yes and no as the server takes them; anything else as it was typed.
const typed = (text, isSwitch) => (isSwitch && ["yes", "no"].includes(text.trim().toLowerCase()) ? Number(text.trim().toLowerCase() === "yes") : asTyped(text));

function rowOf(limit, changed) {
  const path = `/api/queue/limits/${encodeURIComponent(limit.name)}`;
  const isSwitch = typeof limit.value === "boolean";
  const source = cell("From", "");
  const label = meaning(limit.name);
  const plain = el("span");
  const editor = inPlace({
    label,
    hint: isSwitch ? "yes or no" : "",
    save: async (text) => changed(await put(path, { value: typed(text, isSwitch) })),
    reset: { word: "As configured", done: `${label}: as configured`, act: async () => changed(await remove(path)) },
  });

  function update(now) {
    setText(source, now.source === "stored" ? "changed at run time" : now.source === "" ? "" : "configuration");
    setText(plain, inWords(now.value));
    editor.update(inWords(now.value), now.source === "stored");
  }

  const node = el("tr", {}, el("th", { scope: "row" }, label, " ", el("code", { class: "quiet" }, limit.name)), cell("Value", may("admin") ? editor.node : plain), source);
  return { node, update };
}

// `changed(answer)` is given the server's list of limits after each change.
export function limitsTable({ changed }) {
  const list = table("How many jobs may run at once", ["Limit", "Value", "From"]);
  const rows = new Map();

  function show(limits) {
    keyed(list.body, limits.map((one) => one.name), (name) => name, (name) => {
      rows.set(name, rowOf(limits.find((one) => one.name === name), changed));
      return rows.get(name).node;
    });
    for (const one of limits) rows.get(one.name).update(one);
  }

  return { node: el("details", { class: "limits" }, el("summary", {}, "Limits"), el("p", {}, allowed("admin", "Changing a limit", "Changes hold from the next job that starts, and until they are taken back.")), list.node), show };
}
