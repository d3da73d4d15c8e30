// API keys, and mandates that others draw by: what pays without asking. What is from before the first passkey waits for
// it: a key is approved by its owner, a mandate by a passkey over the words that stand on the page.

import { call, get, post } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmed, during, find, make, say, time } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

const WAITS = words("It is from before you had a passkey, and pays nothing until you approve it.");

export async function show(wallet, reload) {
  const [{ items: keys }, { items: mandates }] = await Promise.all([get("/v1/keys"), get("/v1/mandates")]);
  const granted = mandates.filter((one) => one.from === `@${wallet.handle}` && !one.revoked_at);
  const lines = await Promise.all(granted.map((one) => mandateLine(wallet, one, reload)));
  find("grants").replaceChildren(...lines, ...keys.map((one) => keyLine(one, reload)));
}

function keyLine(key, reload) {
  const caps = key.caps.map((cap) => words("{payment} at once and {day} a day, {asset}", { payment: cap.payment ?? words("any"), day: cap.day ?? words("any"), asset: cap.asset }));
  const what = [key.scopes.join(", "), ...caps, key.last_used_at ? words("used {when}", { when: time(key.last_used_at) }) : words("not used yet")];
  const shown = make("span", {}, words("API key {name}", { name: key.name }), make("small", {}, what.join(" · ")));
  return line(shown, key, words("the API key {name}", { name: key.name }), `/v1/keys/${key.id}`, reload, () => post(`/v1/keys/${key.id}/approval`));
}

async function mandateLine(wallet, mandate, reload) {
  const part = (text) => make("span", { "data-part": "" }, text ?? "");
  const payee = mandate.waits_for_approval ? (await get(`/v1/handles/${mandate.to.slice(1)}`)).wallet_id : "";
  const detail = (label, value, none = "") => [", ", label, " ", part(value), value ? "" : none];
  // In the order in which a passkey signs them.
  const details = [
    ...(mandate.waits_for_approval ? [words("Mandate"), " "] : []),
    part(mandate.id),
    ...[" ", words("for"), " ", part(mandate.to), " (", part(payee), ")"],
    ...detail(words("in"), mandate.asset),
    ...detail(words("by"), mandate.rail, words("any rail")),
    ...detail(words("at once"), mandate.draw, words("any")),
    ...detail(words("in each period"), mandate.period),
    ...detail(words("in all"), mandate.total, words("any")),
    ...detail(words("days of a period"), String(mandate.period_days)),
    ...detail(words("until"), mandate.expires_at, words("it is revoked")),
  ];
  const title = words("{payee} draws up to {amount} in {days} days", { payee: mandate.to, amount: `${mandate.period} ${mandate.asset}`, days: mandate.period_days });
  const about = make("span", {}, title);
  const shown = make("small", {}, ...details);
  about.append(shown);
  const approve = async () => {
    const asked = await post(`/v1/mandates/${mandate.id}/approval/challenge`);
    const parts = [...shown.querySelectorAll("[data-part]")].map((one) => one.textContent);
    const challenge = await challengeOf("mandate.approve", wallet.wallet_id, parts, bytesOf(asked.nonce));
    return post(`/v1/mandates/${mandate.id}/approval`, await sign(challenge, asked.rp_id, asked.allow));
  };
  return line(about, mandate, words("the mandate of {payee}", { payee: mandate.to }), `/v1/mandates/${mandate.id}`, reload, approve);
}

function line(about, grant, name, path, reload, approve) {
  const text = words("Whoever uses it is refused from then on. This cannot be undone.");
  const revoke = button(words("Revoke"), name, reload, () => call("DELETE", path), words("Revoked: {name}.", { name }), text);
  const buttons = make("span", { class: "buttons" }, revoke);
  if (grant.waits_for_approval) {
    about.append(make("small", { class: "wrong" }, WAITS));
    buttons.prepend(button(words("Approve"), name, reload, approve, words("Approved: {name}.", { name })));
  }
  return make("li", { class: "line grant" }, about, buttons);
}

// Where there is a `warning`, it is confirmed first.
function button(verb, name, reload, act, done, warning) {
  const pressed = make("button", { class: "quiet", type: "button", "aria-label": `${verb} ${name}` }, verb);
  pressed.addEventListener("click", () =>
    during(pressed, async () => {
      if (warning && !(await confirmed(words("Revoke {name}?", { name }), warning, words("Revoke it")))) return;
      await asOwner(act);
      say(done, "good");
      await reload();
    }),
  );
  return pressed;
}
