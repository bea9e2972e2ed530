// Signing in: by the single-use code in the link's fragment, or by a token that is typed in. Neither stays anywhere.

import { get, post, remove } from "./api.js";
import { el } from "./dom.js";

export async function whoAmI() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const code = fragment.get("code");
  if (code) {
    history.replaceState(null, "", `${location.pathname}#/jobs`);
    try {
      await post("/api/session", { code });
    } catch (error) {
      return { refused: `${error.message}. Ask for a new link: greenroom open` };
    }
  }
  try {
    return { session: await get("/api/session") };
  } catch (error) {
    return { refused: error.status === 401 ? "" : error.message };
  }
}

export const signOut = () => remove("/api/session");

export function signInView(refused, onSignedIn) {
  const refusal = el("p", { class: "bad", role: "alert" }, refused);
  const token = el("input", { id: "token", type: "password", autocomplete: "off", required: true });
  async function submit(event) {
    event.preventDefault();
    try {
      await post("/api/session", { token: token.value });
      token.value = "";
      onSignedIn();
    } catch (error) {
      refusal.textContent = error.message;
    }
  }
  const node = el("form", { class: "sign-in", onsubmit: submit },
    el("h1", {}, "Sign in"),
    el("p", {}, "Type ", el("code", {}, "greenroom open"), " on the machine that runs Greenroom: it prints a link that signs you in. Or use a token:"),
    el("label", { for: "token" }, "Token"), token, el("button", { class: "main" }, "Sign in"), refusal);
  return { node, update: () => {} };
}
