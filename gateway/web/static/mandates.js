// Grant a mandate, or approve one that is from before the first passkey: a passkey signs what stands on the page, in the
// order in which it stands there (gateway/payments/checks/mandate.py).

import { post } from "./api.js";
import { asOwner } from "./owner.js";
import { find, navigate, nowAndAfterSwaps, onSubmit, showStatus, showStatusNext, whileBusy } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

const partsOf = (of) => [...of.querySelectorAll("[data-part]")].map((one) => one.textContent);

async function signed(asked, purpose, wallet, parts) {
  showStatus(words("Use your passkey, as your browser asks you to."));
  return sign(await challengeOf(purpose, wallet, parts, bytesOf(asked.nonce)), asked.rp_id, asked.allow);
}

async function approve(button) {
  const path = `/v1/mandates/${button.dataset.approve}/approval`;
  const asked = await asOwner(() => post(`${path}/challenge`));
  await post(path, await signed(asked, "mandate.approve", find("mandates").dataset.wallet, partsOf(button.closest("li"))));
  showStatusNext(button.dataset.done);
  return navigate();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-approve]");
  if (button) whileBusy(button, () => approve(button));
});

function setUp() {
  for (const button of document.querySelectorAll("[data-approve]")) button.disabled = false;
}
nowAndAfterSwaps(setUp);

// What is granted, as the API takes it: of what the page shows.
function wanted(form) {
  const named = [...form.querySelectorAll("[data-part]")].filter((one) => one.dataset.part && one.textContent);
  const asked = Object.fromEntries(named.map((one) => [one.dataset.part, one.textContent]));
  return { ...asked, period_days: Number(asked.period_days) };
}

if (find("grant")) {
  onSubmit(find("grant"), async () => {
    const { wallet, guarded, done } = find("grant").dataset;
    const asked = wanted(find("grant"));
    await asOwner(async () => {
      if (guarded) asked.approval = await signed(await post("/v1/mandates/challenge", asked), "mandate.grant", wallet, partsOf(find("grant")));
      await post("/v1/mandates", asked);
    });
    showStatusNext(done);
    return navigate("/settings/mandates");
  });
}
