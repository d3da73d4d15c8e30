// API keys, and mandates that others draw by: what pays without asking. What is from before the first passkey waits for
// it: a key is approved by its owner, a mandate by a passkey over the words that stand on the page.

import { call, get, post } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmed, during, find, make, say, time } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";

const WAITS = "It is from before you had a passkey, and pays nothing until you approve it.";

export async function show(wallet, reload) {
  const [{ items: keys }, { items: mandates }] = await Promise.all([get("/v1/keys"), get("/v1/mandates")]);
  const granted = mandates.filter((one) => one.from === `@${wallet.handle}` && !one.revoked_at);
  const lines = await Promise.all(granted.map((one) => mandateLine(wallet, one, reload)));
  find("grants").replaceChildren(...lines, ...keys.map((one) => keyLine(one, reload)));
}

function keyLine(key, reload) {
  const caps = key.caps.map((cap) => `${cap.payment ?? "any"} at once and ${cap.day ?? "any"} a day, ${cap.asset}`);
  const what = [key.scopes.join(", "), ...caps, key.last_used_at ? `used ${time(key.last_used_at)}` : "not used yet"];
  const words = make("span", {}, `API key ${key.name}`, make("small", {}, what.join(" · ")));
  return line(words, key, `the API key ${key.name}`, `/v1/keys/${key.id}`, reload, () => post(`/v1/keys/${key.id}/approval`));
}

async function mandateLine(wallet, mandate, reload) {
  const part = (text) => make("span", { "data-part": "" }, text ?? "");
  const payee = mandate.waits_for_approval ? (await get(`/v1/handles/${mandate.to.slice(1)}`)).wallet_id : "";
  // In the order in which a passkey signs them.
  const details = [
    [mandate.waits_for_approval ? "Mandate " : "", part(mandate.id)],
    [" for ", part(mandate.to)],
    [" (", part(payee), ")"],
    [": in ", part(mandate.asset)],
    [" by ", part(mandate.rail), mandate.rail ? "" : "any rail"],
    [", at once ", part(mandate.draw), mandate.draw ? "" : "any"],
    [", in each period ", part(mandate.period)],
    [", in all ", part(mandate.total), mandate.total ? "" : "any"],
    [", days of a period ", part(String(mandate.period_days))],
    [", until ", part(mandate.expires_at), mandate.expires_at ? "" : "it is revoked"],
  ];
  const words = make("span", {}, `${mandate.to} draws up to ${mandate.period} ${mandate.asset} in ${mandate.period_days} days`);
  const shown = make("small", {}, ...details.flat());
  words.append(shown);
  const approve = async () => {
    const asked = await post(`/v1/mandates/${mandate.id}/approval/challenge`);
    const parts = [...shown.querySelectorAll("[data-part]")].map((one) => one.textContent);
    const challenge = await challengeOf("mandate.approve", wallet.wallet_id, parts, bytesOf(asked.nonce));
    return post(`/v1/mandates/${mandate.id}/approval`, await sign(challenge, asked.rp_id, asked.allow));
  };
  return line(words, mandate, `the mandate of ${mandate.to}`, `/v1/mandates/${mandate.id}`, reload, approve);
}

function line(words, grant, name, path, reload, approve) {
  const text = "Whoever uses it is refused from then on. This cannot be undone.";
  const revoke = button("Revoke", name, reload, () => call("DELETE", path), `Revoked: ${name}.`, text);
  const buttons = make("span", { class: "buttons" }, revoke);
  if (grant.waits_for_approval) {
    words.append(make("small", { class: "wrong" }, WAITS));
    buttons.prepend(button("Approve", name, reload, approve, `Approved: ${name}.`));
  }
  return make("li", { class: "line grant" }, words, buttons);
}

// Where there is a `warning`, it is confirmed first.
function button(verb, name, reload, act, done, warning) {
  const pressed = make("button", { class: "quiet", type: "button", "aria-label": `${verb} ${name}` }, verb);
  pressed.addEventListener("click", () =>
    during(pressed, async () => {
      if (warning && !(await confirmed(`${verb} ${name}?`, warning, `${verb} it`))) return;
      await asOwner(act);
      say(done, "good");
      await reload();
    }),
  );
  return pressed;
}
