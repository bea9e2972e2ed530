// Requests that wait for a decision: who asks for what, by which rule, at which cost; decided one by one or several at once.

import { get, getPages, post } from "./api.js";
import { alsoRuns } from "./also_runs.js";
import { decisionOf, hasReason, mayDecide, reasonField } from "./decide.js";
import { announce, button, cell, el, keyed, table } from "./dom.js";
import { jobName, jobPath, needs, owner, remaining } from "./format.js";
import { sentence, setText } from "./in_place.js";
import { may } from "./rights.js";

const MOST = 500; // that one request fetches or decides

function runs(job) {
  if (job.command) return job.command.join(" ");
  const given = Object.entries(job.params ?? {}).map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`);
  return job.entry_point ? [job.entry_point, ...given].join(" ") : null;
}

export function approvalsView(model) {
  const list = table("Requests that wait for a decision", ["Select", "Job", "User", "Cost", "What it runs", "Why", "Needs", "Expires in", "Decision"]);
  const none = el("p", { class: "quiet" }, "Nothing waits for a decision.");
  const more = button("Show more requests", () => { pages += 1; reread(); });
  const chosen = new Set();
  const several = severalOf(() => deciding(), () => { chosen.clear(); reread(); });
  const rules = new Map(); // their names, by number
  const gone = new Set(); // ids of jobs that are not there any more
  let requests = null;
  let pages = 1;
  let seen = null;
  let events = null;

  const reread = () => refresh().catch((error) => model.fault(error));
  const deciding = () => (requests ?? []).filter((request) => mayDecide(request) && chosen.has(request.approval_id));

  function choose(request, on) {
    if (on) chosen.add(request.approval_id);
    else chosen.delete(request.approval_id);
    several.show();
  }

  function row({ request, name, job, rule }) {
    const box = mayDecide(request) ? el("input", { type: "checkbox", "aria-label": `Select ${name}`, checked: chosen.has(request.approval_id), onchange: (event) => choose(request, event.target.checked) }) : "";
    return el("tr", {}, cell("", box, "choose"), el("th", { scope: "row" }, el("a", { href: jobPath(request.job_id) }, name)),
      cell("User", job && [job.owner, alsoRuns(job.user, request.job_id)], "user"), cell("Cost", job?.cost, "number"),
      cell("Runs", job && [job.runs === null ? `on ${job.provider}, by its options` : el("code", {}, job.runs), " ", el("span", { class: "quiet" }, job.needs)], "wide"),
      cell("", [request.reason, rule ? el("span", { class: "quiet" }, ` (rule ${rule})`) : ""], "wide"), cell("Needs", request.required_level),
      cell("Expires in", remaining(request.expires_at), "number"), cell("", el("span", { class: "actions" }, decisionOf(request, name, reread)), "decision"));
  }

  function described(request) {
    const job = model.jobs.get(request.job_id);
    const rule = request.rule_id === null ? "" : (rules.get(request.rule_id) ?? `number ${request.rule_id}`);
    if (!job) return { request, name: request.job_id, job: null, rule };
    const cost = job.estimated_cost === null ? "not said" : `$${job.estimated_cost.toFixed(2)}`;
    return { request, name: jobName(job), rule, job: { user: job.user_id, owner: owner(job), cost, provider: job.provider, runs: runs(job), needs: needs(job.resources) } };
  }

  function show() {
    if (!requests) return;
    none.hidden = requests.length > 0;
    list.node.hidden = requests.length === 0;
    keyed(list.body, requests.map(described), (one) => one.request.approval_id, row);
    several.show();
  }

  function chooseAll() {
    for (const request of requests ?? []) if (mayDecide(request)) chosen.add(request.approval_id);
    for (const box of list.body.querySelectorAll("input[type=checkbox]")) box.checked = true;
    several.show();
  }

  const missing = () => requests.filter((request) => !model.jobs.has(request.job_id) && !gone.has(request.job_id));
  const nameless = () => may("lead") && requests.some((request) => request.rule_id !== null && !rules.has(request.rule_id));

  // The jobs of requests: those that wait in one request, what is not among them one by one, each in its turn.
  async function lookUp() {
    await model.load(`status=pending&limit=${MOST}`);
    if (missing().length) model.pace.ask(lookUpOne);
  }

  async function lookUpOne() {
    const [first] = missing();
    if (first && (await model.fetch(first.job_id)) === null) gone.add(first.job_id);
    if (missing().length) model.pace.ask(lookUpOne);
  }

  async function lookUpRules() {
    for (const request of requests) if (request.rule_id !== null && !rules.has(request.rule_id)) rules.set(request.rule_id, `number ${request.rule_id}`);
    for (const rule of (await get("/api/approvals/rules")).rules) rules.set(rule.rule_id, rule.name);
    model.changed();
  }

  async function refresh() {
    const answer = await getPages(`/api/approvals?status=pending&limit=${MOST}`, "approvals", pages);
    requests = answer.approvals;
    const ids = new Set(requests.map((request) => request.approval_id));
    for (const one of chosen) if (!ids.has(one)) chosen.delete(one);
    more.hidden = answer.next === null;
    every.hidden = requests.filter(mayDecide).length < 2;
    if (missing().length) model.pace.ask(lookUp, 5_000);
    if (nameless()) model.pace.ask(lookUpRules, 5_000);
    model.changed(); // which shows it with the next frame
  }

  function update() {
    if (model.version === seen) return;
    seen = model.version;
    if (events !== model.events.at(-1)?.seq) model.pace.ask(refresh);
    events = model.events.at(-1)?.seq;
    show();
  }

  const every = button("Select all", chooseAll);
  every.hidden = more.hidden = true;
  return { node: el("div", {}, el("h1", {}, "Approvals"), none, several.node, list.node, el("p", { class: "actions" }, every, more)), update, refresh: () => (requests ? model.pace.ask(refresh) : reread()) };
}

// The bar for the chosen requests: `chosen()` has them, `decided()` is called after all were answered.
function severalOf(chosen, decided) {
  const count = el("span", { role: "status" });
  const said = el("p", { class: "bad", role: "alert", id: "several-said" });
  const reason = reasonField("Reason for rejecting the selected requests", "several-said");
  const bar = el("div", { class: "actions", role: "group", "aria-label": "Selected requests" }, count, button("Approve selected", () => decide("approve"), "main"), reason,
    button("Reject selected", () => hasReason(reason) && decide("reject"), "danger"));
  let busy = false;

  async function decide(decision) {
    if (busy) return;
    busy = true;
    said.textContent = "";
    const ids = chosen().map((request) => request.approval_id);
    const body = { decision, ...(decision === "reject" ? { reason: reason.value.trim() } : {}) };
    const refused = [];
    try {
      for (let at = 0; at < ids.length; at += MOST) {
        const answer = await post("/api/approvals/bulk", { ...body, approval_ids: ids.slice(at, at + MOST) });
        refused.push(...answer.results.filter((one) => !one.decided));
      }
      announce(`${decision === "approve" ? "Approved" : "Rejected"} ${ids.length - refused.length}`);
      if (refused.length) said.textContent = `${refused.length} of ${ids.length} were not decided: ${[...new Set(refused.map((one) => one.problem))].slice(0, 3).join("; ")}`;
    } catch (error) {
      said.textContent = sentence(error);
    }
    busy = false;
    reason.value = "";
    decided();
  }

  function show() {
    const number = chosen().length;
    bar.hidden = number === 0;
    setText(count, number === 1 ? "1 request selected." : `${number} requests selected.`);
  }

  bar.hidden = true;
  return { node: el("div", { class: "bulk" }, bar, said), show };
}
