// Payments that wait for their payer's approval. A passkey signs what stands on the page: the parts of the challenge are
// read from the very words that are shown, so that whatever altered those has altered what is signed, and is refused.

import { all, get, post } from "./api.js";
import { asOwner } from "./owner.js";
import { during, find, make, say, time } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";

const RAILS = { ledger: "at once, in the ledger", chain: "on the chain, in a minute or so" };

const REASONS = {
  amount: "it is more than you let one payment be",
  day: "it is more than you let a day be",
  new_payee: "you have never paid them before",
  address: "it goes to an address that is nobody's handle",
  changed_payee: "their address has changed lately",
  new_device: "it was asked for on a new device",
  before_passkey: "it was set aside before you had a passkey",
};

export async function show(wallet, reload) {
  const waiting = (await all("/v1/payments/waiting")).filter((one) => one.approval);
  const cards = await Promise.all(waiting.map((one) => card(wallet, one, reload)));
  find("waiting").replaceChildren(...cards);
  find("waiting-card").hidden = cards.length === 0;
}

async function card(wallet, payment, reload) {
  const payee = payment.to.startsWith("@") ? (await get(`/v1/handles/${payment.to.slice(1)}`)).wallet_id : payment.to;
  // By its place in what is signed: a person reads the amount first, a passkey signs the payment's id first.
  const part = (place, text) => make("span", { "data-part": String(place) }, text);
  const line = (name, ...shown) => [make("dt", {}, name), make("dd", {}, ...shown)];
  const first = make(
    "dl",
    {},
    ...line("Amount", make("span", { class: "sum" }, part(3, payment.amount), " ", part(4, payment.asset))),
    ...line("To", make("span", { class: payment.to.startsWith("@") ? "sum" : "" }, part(1, payment.to))),
    ...(payment.memo ? line("Memo", make("bdi", {}, payment.memo)) : []),
    ...line("Why you are asked", payment.approval.reasons.map((one) => REASONS[one] ?? one).join("; ")),
  );
  const rest = make(
    "dl",
    { class: "less" },
    ...line("By", part(5, payment.route.rail), ` (${RAILS[payment.route.rail]})`),
    ...line("Asked", time(payment.created_at)),
    ...line("Payment", part(0, payment.id)),
    ...line("Their wallet", part(2, payee)),
  );
  const details = make("div", {}, first, rest);
  const yes = make("button", { type: "button" }, "Approve with your passkey");
  yes.addEventListener("click", () => during(yes, () => approve(wallet, payment.id, details, reload)));
  const no = make("button", { type: "button", class: "quiet", "aria-label": `Decline ${payment.id}` }, "Decline");
  no.addEventListener("click", () => during(no, () => decline(payment, reload)));
  return make("li", { class: "payment" }, details, make("div", { class: "choices" }, yes, no));
}

// Nothing is paid, and what was set aside for it can be spent again.
async function decline(payment, reload) {
  const ended = await asOwner(() => post(`/v1/payments/${payment.id}/refusal`));
  say(`Declined: ${ended.to} is not paid the ${ended.amount} ${ended.asset}.`, "good");
  await reload();
}

async function approve(wallet, id, details, reload) {
  const asked = await post(`/v1/payments/${id}/approval/challenge`);
  const parts = [...details.querySelectorAll("[data-part]")].sort((one, other) => one.dataset.part - other.dataset.part);
  const shown = parts.map((part) => part.textContent);
  const challenge = await challengeOf("payment.approve", wallet.wallet_id, shown, bytesOf(asked.nonce));
  const paid = await post(`/v1/payments/${id}/approval`, await sign(challenge, asked.rp_id, asked.allow));
  say(`Approved: ${paid.amount} ${paid.asset} to ${paid.to}.`, "good");
  await reload();
}
