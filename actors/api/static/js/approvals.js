// Requests that wait for a decision, and the buttons that decide them.

import { getPages, post } from "./api.js";
import { button, cell, el, keyed, table, announce } from "./dom.js";
import { jobName, jobPath, remaining } from "./format.js";
import { allowed, may } from "./rights.js";

const MOST = 500; // that one request fetches or decides

export function approvalsView(model) {
  const list = table("Requests that wait for a decision", ["Job", "Why", "Needs", "Expires in", "Decision"]);
  const none = el("p", { class: "quiet" }, "Nothing waits for a decision.");
  const all = el("p", { class: "actions" });
  const more = button("Show more requests", () => { pages += 1; refresh().catch((error) => model.fault(error)); });
  let requests = null;
  let pages = 1;
  let seen = null;
  let events = null;

  async function decided(word, asking) {
    try {
      await asking();
      announce(word);
      await refresh();
    } catch (error) {
      model.fault(error);
      refresh().catch(() => {});
    }
  }

  const decide = (request, verdict, word, body) => decided(word, () => post(`/api/approvals/${encodeURIComponent(request.approval_id)}/${verdict}`, body));

  function reject(request, reason, name) {
    reason.setAttribute("aria-invalid", reason.value.trim() === "");
    if (reason.value.trim()) return decide(request, "reject", `Rejected ${name}`, { reason: reason.value.trim() });
    announce("A reason is needed: it is shown to the job's user");
    return reason.focus();
  }

  function approveAll(mine) {
    if (!confirm(`Approve ${mine.length} requests?`)) return;
    decided(`Approved ${mine.length}`, async () => {
      const refused = [];
      for (let at = 0; at < mine.length; at += MOST) {
        const ids = mine.slice(at, at + MOST).map((one) => one.approval_id);
        const answer = await post("/api/approvals/bulk", { decision: "approve", approval_ids: ids });
        refused.push(...answer.results.filter((one) => !one.decided));
      }
      if (refused.length) throw new Error(`${refused.length} were not approved: ${refused[0].problem}`);
    });
  }

  function answers(request, name) {
    if (!may("lead") || !may(request.required_level)) {
      const own = may("researcher") && !may("lead") ? button("Take back", () => decide(request, "cancel", `Took back ${name}`), "", `Take back ${name}`) : "";
      return [allowed(may("lead") ? request.required_level : "lead", "Deciding"), " ", own];
    }
    const reason = el("input", { "aria-label": `Reason for rejecting ${name}`, placeholder: "Reason", autocomplete: "off", required: true });
    return [button("Approve", () => decide(request, "approve", `Approved ${name}`), "main", `Approve ${name}`), reason,
      button("Reject", () => reject(request, reason, name), "danger", `Reject ${name}`)];
  }

  function row({ request, name }) {
    return el("tr", {}, el("th", { scope: "row" }, el("a", { href: jobPath(request.job_id) }, name)),
      cell("", request.reason, "wide"), cell("Needs", request.required_level),
      cell("Expires in", remaining(request.expires_at), "number"),
      cell("", el("span", { class: "actions" }, answers(request, name))));
  }

  function show() {
    if (!requests) return;
    const named = requests.map((request) => {
      const job = model.jobs.get(request.job_id);
      return { request, name: job ? jobName(job) : request.job_id };
    });
    const mine = requests.filter((request) => may("lead") && may(request.required_level));
    none.hidden = requests.length > 0;
    list.node.hidden = requests.length === 0;
    keyed(list.body, named, (one) => one.request.approval_id, row);
    keyed(all, mine.length > 1 ? [mine] : [], () => "all", () => button(`Approve all ${mine.length}`, () => approveAll(mine)));
  }

  async function refresh() {
    const answer = await getPages(`/api/approvals?status=pending&limit=${MOST}`, "approvals", pages);
    requests = answer.approvals;
    more.hidden = answer.next === null;
    if (requests.some((request) => !model.jobs.has(request.job_id))) model.pace.ask(names, 5_000);
    show();
  }

  const names = () => model.load("status=pending&limit=100");

  function update() {
    if (model.version === seen) return;
    seen = model.version;
    if (events !== model.events.at(-1)?.seq) model.pace.ask(refresh);
    events = model.events.at(-1)?.seq;
    show();
  }

  return { node: el("div", {}, el("h1", {}, "Approvals"), none, list.node, more, all), update, refresh: () => (requests ? model.pace.ask(refresh) : refresh().catch((error) => model.fault(error))) };
}
