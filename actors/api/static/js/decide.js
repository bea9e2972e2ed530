// Deciding one request for an approval: approve, reject with a reason, withdraw. Beside the buttons stands why the server
// refused, in its own words.

import { post } from "./api.js";
import { announce, button, el } from "./dom.js";
import { sentence } from "./in_place.js";
import { allowed, may } from "./rights.js";

let made = 0;

export const mayDecide = (request) => may("lead") && may(request.required_level);

// The buttons of `request`, which is about the job called `name`; `decided()` is called after each answer.
export function decisionOf(request, name, decided) {
  made += 1;
  const said = el("span", { class: "bad", role: "alert", id: `decision-${made}` });
  let busy = false;

  async function act(verdict, word, body) {
    if (busy) return;
    busy = true;
    said.textContent = "";
    try {
      await post(`/api/approvals/${encodeURIComponent(request.approval_id)}/${verdict}`, body);
      announce(`${word} ${name}`);
    } catch (error) {
      said.textContent = sentence(error);
    }
    busy = false;
    decided();
  }

  if (!mayDecide(request)) {
    const own = may("researcher") && !may("lead") ? button("Withdraw", () => act("cancel", "Withdrew"), "", `Withdraw ${name}`) : "";
    return [allowed(may("lead") ? request.required_level : "lead", "Deciding"), " ", own, said];
  }
  const reason = reasonField(`Reason for rejecting ${name}`, said.id);
  const reject = () => hasReason(reason) && act("reject", "Rejected", { reason: reason.value.trim() });
  return [button("Approve", () => act("approve", "Approved"), "main", `Approve ${name}`), reason, button("Reject", reject, "danger", `Reject ${name}`), said];
}

export const reasonField = (label, why = null) => el("input", { "aria-label": label, "aria-describedby": why, placeholder: "Reason", autocomplete: "off", required: true });

// Whether a reason is given; if not, it is asked for.
export function hasReason(field) {
  const given = field.value.trim() !== "";
  field.setAttribute("aria-invalid", String(!given));
  if (given) return true;
  announce("A reason is needed: it is shown to the job's user");
  field.focus();
  return false;
}
