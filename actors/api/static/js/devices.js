// What the providers have, and who has it: each GPU and CPU slot of one that names its devices, numbers of all others.

import { get, getPages } from "./api.js";
import { cell, el, gauge, keyed, state, svg, table } from "./dom.js";
import { jobName, jobPath, moment, needs, owner, running } from "./format.js";
import { oncePerFrame } from "./pace.js";

const EVERY = 2_000; // milliseconds between two looks at providers and at what runs there
const PAGES = 2; // of at most 500 jobs that run at one provider
const DRAWN = 256; // CPU slots
const FREE = "free";

export const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

// Who has which GPU: for each of `devices` its `jobs`, then the jobs of which no name is known yet. `unknown`: how many GPUs
// are taken by jobs that are not among `jobs`.
export function gpuRows(devices, jobs, inUse) {
  const holders = (device) => jobs.filter((job) => job.devices?.includes(device));
  const named = devices.map((device) => ({ device, jobs: holders(device) }));
  const nameless = jobs.filter((job) => job.resources.gpus > 0 && !job.devices?.length);
  const sum = jobs.reduce((all, job) => all + job.resources.gpus, 0);
  return { named, nameless, unknown: Math.max(0, inUse - sum), free: Math.max(0, devices.length - inUse) };
}

// What is said of a GPU that none of the jobs that one sees has.
export function withoutHolder({ nameless, unknown, free }) {
  if (nameless.length === 0 && unknown === 0) return FREE;
  if (free === 0) return nameless.length === 0 ? "held by a job that you do not see or that is starting" : "held; by which job is not reported yet";
  return `not known: of those without a job ${free} ${free === 1 ? "is" : "are"} free`;
}

function whose(job) {
  return [el("td", { "data-label": "Job", class: "wide" }, el("a", { href: jobPath(job.job_id) }, jobName(job)), job.uncertain ? [" ", state("uncertain", "uncertain")] : ""),
    cell("User", owner(job), "user"), cell("Since", job.started_at ? [moment(job.started_at), el("span", { class: "quiet" }, " (", running(job.started_at), ")")] : "is starting")];
}

const noJob = (words) => [el("td", { "data-label": "Job" }, words === FREE ? state(FREE, "ok") : words), cell("User", ""), cell("Since", "")];

const header = (text) => el("th", { scope: "row" }, text);

function strip(taken, all) {
  const drawn = Math.min(all, DRAWN);
  const columns = Math.min(drawn, 32);
  const slot = (_, at) => svg("rect", { class: at < taken ? "taken" : "free", x: (at % columns) * 10 + 1, y: Math.floor(at / columns) * 10 + 1, width: 8, height: 8 });
  return svg("svg", { class: "slots", viewBox: `0 0 ${columns * 10} ${Math.ceil(drawn / columns) * 10}`, width: columns * 12, role: "img", "aria-label": `${taken} of ${all} CPU slots are taken` },
    Array.from({ length: drawn }, slot));
}

function slotRows(provider, jobs) {
  const mine = jobs.filter((job) => job.resources.cpus > 0).sort((a, b) => (a.job_id < b.job_id ? -1 : 1));
  const others = provider.in_use.cpus - mine.reduce((all, job) => all + job.resources.cpus, 0);
  const rows = mine.map((job) => ({ key: job.job_id, slots: job.resources.cpus, job }));
  if (others > 0) rows.push({ key: "others", slots: others, words: "jobs that you do not see or that are starting" });
  if (provider.capacity?.cpus > provider.in_use.cpus) rows.push({ key: FREE, slots: provider.capacity.cpus - provider.in_use.cpus, words: FREE });
  return rows;
}

// The slots of one provider, which stay while the view is shown. `show` is given the provider, and the answer that lists the
// jobs that run there as `held` where that has come.
function slotsOf(name) {
  const gpus = table(`GPUs of ${name}`, ["GPU", "Job", "User", "Since"]);
  const cpus = table(`CPU slots of ${name}`, ["CPU slots", "Job", "User", "Since"]);
  const none = el("p", { class: "quiet" });
  const drawn = el("p");
  const left = el("p", { class: "quiet" });

  const node = el("section", { hidden: true }, el("h2", {}, name), gpus.node, none, cpus.node, drawn, left);

  function show(provider, held) {
    node.hidden = !held;
    if (!held) return;
    const { jobs, next } = held;
    const found = gpuRows(provider.devices, jobs, provider.in_use.gpus);
    const words = withoutHolder(found);
    const rows = [
      ...found.named.flatMap(({ device, jobs: holders }) => (holders.length ? holders : [null]).map((job) => ({ key: `${device} ${job?.job_id}`, first: device, job, words }))),
      ...found.nameless.map((job) => ({ key: job.job_id, first: `${plural(job.resources.gpus, "GPU")}; which, it has not reported yet`, job })),
    ];
    keyed(gpus.body, rows, (row) => row.key, (row) => el("tr", {}, header(row.first), row.job ? whose(row.job) : noJob(row.words)));
    gpus.node.hidden = rows.length === 0;
    none.textContent = provider.devices.length === 0 ? `${name} has no GPUs.` : "";
    const { cpus: all } = provider.capacity ?? {};
    keyed(drawn, Number.isInteger(all) && all > 0 ? [[provider.in_use.cpus, all]] : [], () => "slots", ([taken, most]) => strip(taken, most));
    keyed(cpus.body, slotRows(provider, jobs), (row) => row.key, (row) => el("tr", {}, header(plural(row.slots, "slot")), row.job ? whose(row.job) : noJob(row.words)));
    left.textContent = next === null ? "" : `Only ${jobs.length} of the jobs that run here are listed.`;
  }

  return { node, show };
}

function amount(what, used, all) {
  const shown = what === "Memory" ? (bytes) => needs({ cpus: 0, gpus: 0, memory: bytes }) || "0 MiB" : String;
  if (!Number.isInteger(all)) return [shown(used), " ", el("span", { class: "quiet" }, "not limited here")];
  return [all > 0 ? gauge("meter", `${what}: ${shown(used)} of ${shown(all)}`, used, all) : "", " ", `${shown(used)} of ${shown(all)}`];
}

function capacity(provider) {
  const { name, kind, in_use: used, capacity: all, gate } = provider;
  const cells = [["cpus", "CPUs"], ["gpus", "GPUs"], ["memory", "Memory"]].map(([field, word]) => cell(word, all ? amount(word, used[field], all[field]) : "not known", "number"));
  return el("tr", {}, header(name), cell("Kind", kind ?? ""), cell("Jobs", used.jobs, "number"), cells, cell("Dispatching", gate ?? "yes", "wide"));
}

export function devicesView(model) {
  const list = table("What the providers have, and what jobs of all users hold of it", ["Provider", "Kind", "Jobs", "CPUs", "GPUs", "Memory", "Dispatching"]);
  const slots = el("div");
  const parts = new Map(); // by the name of a provider
  const draw = oncePerFrame(show);
  let providers = [];
  let seen = null;

  function show() {
    const named = providers.filter((one) => one.devices !== null);
    keyed(slots, named.map((one) => one.name), (name) => name, (name) => part(name).node);
    for (const one of named) part(one.name).show(one, part(one.name).held);
    keyed(list.body, providers, (one) => one.name, capacity);
  }

  // What is shown of one provider, and how the jobs that run there are asked for: one request in its turn.
  function part(name) {
    if (!parts.has(name)) {
      const query = new URLSearchParams([["provider", name], ["status", "uploading"], ["status", "queued"], ["status", "running"], ["limit", 500]]);
      const made = { ...slotsOf(name), held: null, read: async () => { made.held = await getPages(`/api/jobs?${query}`, "jobs", PAGES); draw(); } };
      parts.set(name, made);
    }
    return parts.get(name);
  }

  async function read() {
    ({ providers } = await get("/api/providers"));
    draw();
    for (const { devices, name } of providers) {
      if (devices === null) continue;
      if (part(name).held === null) await part(name).read(); // the view was opened just now
      else model.pace.ask(part(name).read, EVERY);
    }
  }

  function update() {
    if (model.events.at(-1)?.seq === seen) return;
    seen = model.events.at(-1)?.seq;
    model.pace.ask(read, EVERY);
  }

  const refresh = () => read().catch((error) => model.fault(error));
  return { node: el("div", {}, el("h1", {}, "Devices"), slots, el("h2", {}, "All providers"), list.node), update, refresh, leave: () => draw.cancel() };
}
