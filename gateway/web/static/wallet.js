// One's wallet: what waits, what there is, what was paid, and who may come in.

import { call, get } from "./api.js";
import { show as showWaiting } from "./approvals.js";
import { show as showDevices } from "./devices.js";
import { show as showGrants } from "./grants.js";
import { avatar, chip, drawing, plain, shortened } from "./look.js";
import { during, find, grouped, make, say, time, wordsOf } from "./page.js";

const STATES = {
  requires_confirmation: ["waits", "wait"],
  held: ["set aside", "wait"],
  queued: ["on its way", "wait"],
  submitted: ["on its way", "wait"],
  settled: ["done", ""],
  failed: ["failed", "wrong"],
  voided: ["taken back", ""],
  expired: ["expired", ""],
  refused: ["declined", ""],
};

// One after the other: what was asked for earlier is never shown over what was asked for later.
let shown = Promise.resolve();
const again = () => (shown = shown.catch(() => {}).then(show));

async function show() {
  const wallet = await get("/v1/wallet");
  find("handle").replaceChildren(avatar(`@${wallet.handle}`), ` @${wallet.handle}`);
  document.title = `@${wallet.handle} · Wallet gateway`;
  find("sign-out").hidden = false;
  showBalances(wallet);
  const { items } = await get("/v1/payments?limit=10");
  showPayments(wallet, items);
  await showWaiting(wallet, again);
  await showGrants(wallet, again);
  await showDevices(again);
  await showBell();
  find("main").setAttribute("aria-busy", "false");
}

async function showBell() {
  const { unseen } = await get("/v1/notifications?limit=1");
  const many = unseen > 99 ? "99+" : String(unseen);
  find("bell").replaceChildren(drawing("bell"), ...(unseen ? [make("span", { class: "count" }, many)] : []));
  find("bell").setAttribute("aria-label", unseen ? `Notifications: ${many} new` : "Notifications");
  find("bell").hidden = false;
}

const isNothing = (one) => !/[1-9]/.test(one.posted + one.pending + one.available);

// Assets without money are folded away, but for a wallet that has none at all.
function showBalances({ balances }) {
  const there = balances.filter((one) => !isNothing(one));
  const empty = balances.filter(isNothing);
  const folded = there.length > 0 ? empty : [];
  find("balances").replaceChildren(...(there.length > 0 ? there : empty).map(balance));
  find("empty-balances").replaceChildren(...folded.map(balance));
  find("show-empty").hidden = folded.length === 0;
  find("show-empty").textContent = `${folded.length} more without money`;
}

find("show-empty").addEventListener("click", () => {
  find("empty-balances").hidden = false;
  find("show-empty").hidden = true;
  find("empty-balances").querySelector("th").focus();
});

const NAMES = new Intl.DisplayNames("en", { type: "currency", fallback: "none" });

// What a currency is called, and its sign; undefined for a token, which is of no country (ISO 4217).
function currencyOf(code) {
  if (code.length !== 3 || !NAMES.of(code)) return undefined;
  const parts = new Intl.NumberFormat("en", { style: "currency", currency: code, currencyDisplay: "narrowSymbol" }).formatToParts(0);
  return { name: NAMES.of(code), sign: parts.find((part) => part.type === "currency").value };
}

function balance(one) {
  const currency = currencyOf(one.asset);
  const sign = currency?.sign.length === 1 ? currency.sign : one.asset[0];
  const circle = make("span", { class: `avatar ${currency ? "" : "digital"}`, "aria-hidden": "true" }, sign);
  const name = make("span", {}, make("span", {}, one.asset), make("small", {}, currency?.name ?? "Token"));
  const amount = make("td", { class: "number" }, ...parted(one.available));
  if (/[1-9]/.test(one.pending)) amount.append(make("small", {}, `${grouped(plain(one.pending))} set aside`));
  return make("tr", {}, make("th", { scope: "row", tabindex: "-1" }, make("span", { class: "balance" }, circle, name)), amount);
}

// Whole units large, and the rest small.
function parted(amount) {
  const [whole, rest] = grouped(plain(amount)).split(".");
  return rest === undefined ? [whole] : [whole, make("span", { class: "part" }, `.${rest}`)];
}

function showPayments({ handle }, items) {
  const rows = items.map((one) => {
    const out = one.from === `@${handle}`;
    const who = out ? one.to : one.from;
    const part = one.state === "settled" && one.captured !== one.amount;
    const paid = part ? one.captured : one.amount;
    const [text, kind] = part ? [`done: ${grouped(plain(one.captured))} of ${grouped(plain(one.amount))}`, ""] : (STATES[one.state] ?? [one.state, ""]);
    const states = [text, ...(/[1-9]/.test(one.refunded) ? [`${grouped(plain(one.refunded))} refunded`] : [])].join(", ");
    const name = make("b", { title: who }, shortened(who));
    const about = make("small", {}, ...(one.memo ? [make("bdi", {}, one.memo), " · "] : []), time(one.created_at));
    const state = states === "done" ? make("small", { class: "only-read" }, states) : make("small", {}, kind ? chip(states, kind) : states);
    return make(
      "li",
      { class: "line" },
      avatar(who),
      make("span", { class: "who" }, `${one.refund_of ? "refund " : ""}${out ? "to" : "from"} `, name, about),
      make("span", { class: `amount ${out ? "" : "in"}` }, `${out ? "−" : "+"}${grouped(plain(paid))} ${one.asset}`, state),
    );
  });
  find("payments").replaceChildren(...(rows.length ? rows : [make("li", { class: "hint" }, "None yet.")]));
}

find("sign-out").addEventListener("click", (event) =>
  during(event.target, async () => {
    await call("DELETE", "/v1/sessions/current");
    location.assign("/sign-in");
  }),
);

again().catch((error) => (error.status === 401 ? location.replace("/sign-in") : say(wordsOf(error), "wrong")));
