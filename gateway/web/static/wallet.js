// One's wallet: what waits, what there is, what was paid, and who may come in.

import { call, get } from "./api.js";
import { show as showWaiting } from "./approvals.js";
import { show as showDevices } from "./devices.js";
import { show as showGrants } from "./grants.js";
import { during, find, make, say, time, wordsOf } from "./page.js";

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
      make("td", { class: "number" }, one.available),
      make("td", { class: "number" }, /[1-9]/.test(one.pending) ? one.pending : "–"),
    ),
  );
  find("balances").replaceChildren(...rows);
}

function showPayments({ handle }, items) {
  const rows = items.map((one) => {
    const out = one.from === `@${handle}`;
    const part = one.state === "settled" && one.captured !== one.amount;
    const paid = part ? one.captured : one.amount;
    const state = (STATES[one.state] ?? one.state) + (part ? `: ${one.captured} of ${one.amount}` : "");
    return make(
      "li",
      { class: "line" },
      make("span", {}, out ? `to ${one.to}` : `from ${one.from}`, make("small", {}, time(one.created_at))),
      make("span", { class: "amount" }, `${out ? "−" : "+"}${paid} ${one.asset}`, make("small", {}, state)),
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
