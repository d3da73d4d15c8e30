// One's wallet: what waits, what there is, what was paid, and who may come in.

import { call, get } from "./api.js";
import { show as showWaiting } from "./approvals.js";
import { show as showDevices } from "./devices.js";
import { show as showGrants } from "./grants.js";
import { during, find, grouped, make, say, time, wordsOf } from "./page.js";

const STATES = {
  requires_confirmation: "waits",
  held: "set aside",
  queued: "on its way",
  submitted: "on its way",
  settled: "done",
  failed: "failed",
  voided: "taken back",
  expired: "expired",
  refused: "declined",
};

async function show() {
  const wallet = await get("/v1/wallet");
  find("handle").textContent = `@${wallet.handle}`;
  document.title = `@${wallet.handle} · Wallet gateway`;
  find("sign-out").hidden = false;
  showBalances(wallet);
  const { items } = await get("/v1/payments?limit=10");
  showPayments(wallet, items);
  await showWaiting(wallet, show);
  await showGrants(wallet, show);
  await showDevices(show);
  find("main").setAttribute("aria-busy", "false");
}

function showBalances({ balances }) {
  const rows = balances.map((one) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, one.asset),
      make("td", { class: "number" }, grouped(one.available)),
      make("td", { class: "number" }, /[1-9]/.test(one.pending) ? grouped(one.pending) : "–"),
    ),
  );
  find("balances").replaceChildren(...rows);
}

// An address is known by its ends, and is told whole to who points at it; a handle is told whole.
const shortened = (name) => (name.startsWith("0x") ? `${name.slice(0, 6)}…${name.slice(-4)}` : name);

function showPayments({ handle }, items) {
  const rows = items.map((one) => {
    const out = one.from === `@${handle}`;
    const part = one.state === "settled" && one.captured !== one.amount;
    const paid = part ? one.captured : one.amount;
    const state = [part ? `done: ${grouped(one.captured)} of ${grouped(one.amount)}` : (STATES[one.state] ?? one.state)];
    if (/[1-9]/.test(one.refunded)) state.push(`${grouped(one.refunded)} refunded`);
    const who = make("span", { title: out ? one.to : one.from }, shortened(out ? one.to : one.from));
    return make(
      "li",
      { class: "line" },
      make("span", {}, `${one.refund_of ? "refund " : ""}${out ? "to" : "from"} `, who, make("small", {}, time(one.created_at))),
      make("span", { class: "amount" }, `${out ? "−" : "+"}${grouped(paid)} ${one.asset}`, make("small", {}, state.join(", "))),
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

show().catch((error) => (error.status === 401 ? location.replace("/sign-in") : say(wordsOf(error), "wrong")));
