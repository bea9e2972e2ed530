// What else a user runs or waits for, asked when somebody wants to know.

import { get } from "./api.js";
import { el, state } from "./dom.js";
import { jobName, jobPath, jobState, needs } from "./format.js";

const SHOWN = 10;

export function alsoRuns(user, jobId) {
  const found = el("div", {});
  const node = el("details", { class: "more", ontoggle: () => node.open && look() }, el("summary", {}, `What else ${user} runs`), found);

  async function look() {
    try {
      const running = ["running", "uploading", "queued", "pending"].map((word) => `status=${word}`).join("&");
      const { jobs, next } = await get(`/api/jobs?user_id=${encodeURIComponent(user)}&${running}&limit=${SHOWN + 1}&sort=started`);
      const others = jobs.filter((job) => job.job_id !== jobId).slice(0, SHOWN);
      const rows = others.map((job) => el("li", {}, el("a", { href: jobPath(job.job_id) }, jobName(job)), " ", state(...jobState(job)), " ", el("span", { class: "quiet" }, needs(job.resources))));
      found.replaceChildren(rows.length ? el("ul", {}, rows) : "Nothing.", next || jobs.length > SHOWN ? el("p", { class: "quiet" }, "and more") : "");
    } catch (error) {
      found.textContent = error.message;
    }
  }

  return node;
}
