// Which jobs are listed, and in which order: as it stands in the address, so that a view can be sent to somebody; as the
// server is asked for it; and the fields that change it.

import { el, labelled } from "./dom.js";
import { may } from "./rights.js";

const STATES = { waits: ["pending"], running: ["uploading", "queued", "running"], completed: ["completed"], failed: ["failed"], cancelled: ["cancelled"] };
const AS_THEY_ARE = { q: "q", name: "name", user: "user_id", group: "group", provider: "provider", since: "since", until: "until" };
export const SORTS = { created: "Submitted", name: "Name", status: "State", user: "User", provider: "Provider", group: "Group", started: "Started", ended: "Ended" };
const LESS_OFTEN = ["name", "user", "group", "provider", "since", "until"];
const LABELS = { q: "Name, user, id or error", name: "Name, such as train-*", user: "User", group: "Group", provider: "Provider", since: "Submitted from", until: "Submitted before" };

// The filter of an address; what it does not know is left out.
export function filterOf(asked) {
  const filter = { state: asked.get("state") in STATES ? asked.get("state") : "", sort: asked.get("sort") in SORTS ? asked.get("sort") : "created", order: asked.get("order") === "asc" ? "asc" : "desc" };
  for (const field of Object.keys(AS_THEY_ARE)) filter[field] = (asked.get(field) ?? "").slice(0, 200);
  return filter;
}

export const ORDER = { sort: "created", order: "desc" }; // the usual one

export function addressOf(filter) {
  const asked = new URLSearchParams(Object.entries(filter).filter(([name, value]) => value !== "" && value !== ORDER[name]));
  return `#/jobs${asked.size ? `?${asked}` : ""}`;
}

export function queryOf(filter) {
  const query = new URLSearchParams();
  for (const status of STATES[filter.state] ?? []) query.append("status", status);
  for (const [field, name] of Object.entries(AS_THEY_ARE)) if (filter[field].trim()) query.set(name, filter[field].trim());
  if (filter.sort !== ORDER.sort || filter.order !== ORDER.order) {
    query.set("sort", filter.sort);
    query.set("order", filter.order);
  }
  return query;
}

// The filter as the server takes a selection of jobs; null where it says more than such a selection can.
export function selectionOf(filter) {
  if (["q", "provider", "since", "until"].some((field) => filter[field].trim())) return null;
  const chosen = { name: filter.name.trim(), group: filter.group.trim(), user_id: filter.user.trim(), status: STATES[filter.state] };
  const found = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value?.length));
  return Object.keys(found).length ? found : null;
}

// Of a moment in UTC, as the address has it, what a field shows in the time of this browser; and back.
function localOf(text) {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return "";
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const momentOf = (local) => (local ? new Date(local).toISOString() : "");

// The fields; `changed(filter, atOnce)` is called with another filter when one of them was changed.
export function filterForm(filter, changed) {
  let shown = filter;
  const inputs = {};
  const set = (field, value, atOnce) => { shown = { ...shown, [field]: value }; changed(shown, atOnce); };

  function choice(field, label, options) {
    const select = el("select", { id: `filter-${field}` }, Object.entries(options).map(([value, word]) => el("option", { value }, word)));
    select.addEventListener("change", () => set(field, select.value, true));
    inputs[field] = select;
    return labelled(label, select);
  }

  function text(field) {
    const time = field === "since" || field === "until";
    const input = el("input", { id: `filter-${field}`, type: time ? "datetime-local" : "search", autocomplete: "off", maxlength: time ? null : 200 });
    input.addEventListener(time ? "change" : "input", () => set(field, time ? momentOf(input.value) : input.value, time));
    inputs[field] = input;
    return labelled(LABELS[field], input);
  }

  const more = LESS_OFTEN.filter((field) => field !== "user" || may("lead"));
  const details = el("details", { class: "more" }, el("summary", {}, "More filters"), el("div", { class: "filters" }, more.map(text)));
  const orders = { desc: "descending", asc: "ascending" };
  const node = el("form", { role: "search", "aria-label": "Jobs", onsubmit: (event) => event.preventDefault() }, el("div", { class: "filters" },
    choice("state", "State", { "": "all", ...Object.fromEntries(Object.keys(STATES).map((name) => [name, name])) }), text("q"),
    choice("sort", "Sort by", SORTS), choice("order", "Order", orders)), details);

  // Shows another filter, as after a click on a column.
  function show(next) {
    shown = next;
    for (const [field, input] of Object.entries(inputs)) {
      const value = input.type === "datetime-local" ? localOf(next[field]) : next[field];
      if (input.value !== value) input.value = value;
    }
    if (more.some((field) => next[field])) details.open = true;
  }

  show(filter);
  return { node, show };
}
