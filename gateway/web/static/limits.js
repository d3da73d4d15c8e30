// Save the wallet's policy. Where something is loosened a passkey signs it: what stands in the fields of the page, so that
// whatever altered those has altered what is signed, and is refused (gateway/payments/policy_change.py). A change is of the
// limits that the page shows: where they were changed elsewhere meanwhile, the page is made anew and says so.

import { get, post, put } from "./api.js";
import { asOwner } from "./owner.js";
import { find, navigate, nowAndAfterSwaps, onSubmit, showStatus, showStatusNext, withAllDecimals } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

// What stands in the fields, as the API takes it.
function filled() {
  const limits = {};
  for (const group of document.querySelectorAll("[data-asset]")) {
    const amount = (name) => withAllDecimals(group.querySelector(`[data-limit=${name}]`).value, group.dataset.decimals);
    limits[group.dataset.asset] = { payment: amount("payment"), day: amount("day") };
  }
  return {
    limits,
    approve_new_payee: find("approve-new-payee").checked,
    approve_address: find("approve-address").checked,
    changed_payee_days: Number(find("changed-payee-days").value),
    new_device_hours: Number(find("new-device-hours").value),
    undo_seconds: Number(find("undo-seconds").value),
    trusted: find("trusted").value.split(/[\s,]+/).filter((one) => one),
    version: find("limits").dataset.version,
  };
}

// The same in the canonical form that is signed: trusted payees by their wallets, which no new owner of a handle has.
async function details(policy) {
  const codes = Object.keys(policy.limits).sort();
  const limits = Object.fromEntries(codes.map((code) => [code, [policy.limits[code].payment, policy.limits[code].day]]));
  const flags = [policy.approve_new_payee, policy.approve_address, policy.changed_payee_days, policy.new_device_hours, policy.undo_seconds];
  const walletOf = async (name) => (name.startsWith("0x") ? name : (await get(`/v1/handles/${name.replace("@", "")}`)).wallet_id);
  return JSON.stringify([limits, flags, (await Promise.all(policy.trusted.map(walletOf))).sort()]);
}

// Save it; its version is the page's from then on.
async function save(policy) {
  try {
    find("limits").dataset.version = (await put("/v1/policy", policy)).version;
  } catch (error) {
    if (error.code !== "policy_changed") throw error;
    showStatusNext(words("Your limits were changed elsewhere meanwhile. These hold now: change them again."), "wrong");
    await navigate(location.pathname);
  }
}

if (find("limits")) {
  // What is changed elsewhere comes into fields by itself (htmx), and into a box or a choice that was clicked from here.
  const held = new Map();
  nowAndAfterSwaps(() => {
    for (const one of find("limits").querySelectorAll("input[type=checkbox], option")) {
      const holds = one.defaultChecked ?? one.defaultSelected;
      if (held.has(one) && held.get(one) !== holds) one[one.type === "checkbox" ? "checked" : "selected"] = holds;
      held.set(one, holds);
    }
  });
  onSubmit(find("limits"), () =>
    asOwner(async () => {
      const policy = filled();
      try {
        await save(policy);
      } catch (error) {
        if (error.code !== "approval_required") throw error;
        showStatus(words("Use your passkey, as your browser asks you to."));
        const asked = await post("/v1/policy/challenge", policy);
        const challenge = await challengeOf("policy.change", find("limits").dataset.wallet, [await details(policy)], bytesOf(asked.nonce));
        await save({ ...policy, approval: await sign(challenge, asked.rp_id, asked.allow) });
      }
      showStatus(words("Saved. It holds from now on."), "good");
    }),
  );
}
