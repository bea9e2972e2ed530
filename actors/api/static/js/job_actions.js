// What can be done to one job, and settling one of which nobody knows whether it runs.

import { post } from "./api.js";
import { decisionOf } from "./decide.js";
import { announce, button, el } from "./dom.js";
import { ended, jobName, jobPath } from "./format.js";
import { allowed, may } from "./rights.js";

export function actionsOf(model, jobId) {
  const path = `/api/jobs/${encodeURIComponent(jobId)}`;

  async function act(word, action, body) {
    try {
      const job = await post(`${path}/${action}`, body);
      model.put(job);
      announce(`${word}: ${jobName(job)}`);
      if (job.job_id !== jobId) location.hash = jobPath(job.job_id);
    } catch (error) {
      model.fault(error);
    }
  }

  const changes = (job, word) => el("a", { href: `#/submit?${new URLSearchParams({ again: job.job_id })}` }, word);

  function actions(job) {
    // Commands come from the machine itself alone: over the network such a retry is refused to everybody.
    if (ended(job) && job.command) return [el("span", { class: "quiet" }, "It was a command. To run it again, on its machine: ", el("code", {}, `greenroom retry ${job.job_id}`)), changes(job, "Line for a shell")];
    if (ended(job)) return allowed("researcher", "Retrying it", [button("Retry", () => act("Submitted again", "retry")), changes(job, "Retry with changes")]);
    if (job.cancel_requested_at) return el("span", { class: "quiet" }, `${job.cancel_requested_by ?? "somebody"} asked to cancel it`);
    const asked = job.approval?.status === "pending" ? el("span", { class: "actions" }, decisionOf(job.approval, jobName(job), () => model.fetch(job.job_id).catch((error) => model.fault(error)))) : "";
    const cancel = () => confirm(`Cancel ${jobName(job)}?`) && act("Cancel requested", "cancel");
    return [asked, allowed("researcher", "Cancelling", button("Cancel", cancel, "danger"))];
  }

  function uncertain(job) {
    const settle = (verdict) => confirm("Do so only if you have checked: a job that runs twice is worse than one that waits.") && act("Settled", "settle", { verdict });
    return [el("p", { class: "bad" }, `It is not known whether it runs: ${job.uncertain.reason ?? "no answer"}. Its place stays taken until it is settled.`),
      el("p", { class: "actions" }, may("admin") ? [button("It never ran", () => settle("not_run")), button("It failed", () => settle("failed"))] : allowed("admin", "Settling"))];
  }

  return { actions, uncertain };
}
