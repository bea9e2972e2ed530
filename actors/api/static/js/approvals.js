// What waits for a person, and the two answers.

import { get, post } from "./api.js";
import { cell, el, keyed, table, tell } from "./dom.js";
import { between, jobName, moment, span } from "./format.js";

export function approvalsView(model) {
  const list = table("Requests that wait for a decision", ["Job", "Why", "Needs", "Expires in", "Decision"]);
  const none = el("p", { class: "quiet" }, "Nothing waits for a decision.");
  let seen = -1;

  async function decide(request, verdict, body) {
    try {
      await post(`/api/approvals/${encodeURIComponent(request.approval_id)}/${verdict}`, body);
      tell(verdict === "approve" ? "Approved" : "Rejected");
      await refresh();
    } catch (error) {
      model.fault(error);
    }
  }

  function row(request) {
    const job = model.jobs.get(request.job_id);
    const name = job ? jobName(job) : request.job_id;
    const reason = el("input", { "aria-label": `Reason for rejecting ${name}`, placeholder: "Reason", autocomplete: "off" });
    return el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#/jobs/${encodeURIComponent(request.job_id)}` }, name)),
      cell("Why", request.reason, "wide"), cell("Needs", request.required_level),
      cell("Expires in", el("span", { title: moment(request.expires_at) }, span(-between(request.expires_at, null))), "number"),
      cell("", el("span", { class: "actions" },
        el("button", { type: "button", class: "main", "aria-label": `Approve ${name}`, onclick: () => decide(request, "approve", {}) }, "Approve"),
        reason,
        el("button", { type: "button", class: "danger", "aria-label": `Reject ${name}`, onclick: () => decide(request, "reject", { reason: reason.value }) }, "Reject"))));
  }

  async function refresh() {
    const answer = await get("/api/approvals?status=pending");
    none.hidden = answer.approvals.length > 0;
    list.node.hidden = answer.approvals.length === 0;
    keyed(list.body, answer.approvals, (request) => request.approval_id, row);
  }

  function update() {
    if (model.live.last === seen) return;
    seen = model.live.last;
    refresh().catch((error) => model.fault(error));
  }

  return { node: el("div", {}, el("h1", {}, "Approvals"), none, list.node), update };
}
