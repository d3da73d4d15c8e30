// Make the payment that the page shows. Its key is the page's: pressed again, after a lost answer or in a second tab, it is
// the same payment.

import { get, isLost, post } from "./api.js";
import { approve } from "./approve.js";
import { find, navigate, onSubmit, showStatus } from "./page.js";
import { words } from "./words.js";

const form = find("pay");
const part = (place) => form.querySelector(`[data-part="${place}"]`);

onSubmit(form, async () => {
  const { key, wallet, memo, request } = form.dataset;
  const asked = { to: part(1).textContent, amount: part(3).textContent, asset: part(4).textContent };
  if (memo) asked.memo = memo;
  if (request) asked.request = request;
  const made = await post("/v1/payments", asked, { idempotencyKey: key }).catch(refused);
  // A repeat is answered as the first time: what has become of it since is asked for.
  const { approval } = made.approval ? await get(`/v1/payments/${made.id}`) : made;
  if (approval) {
    showStatus(words("Use your passkey, as your browser asks you to."));
    part(0).textContent = made.id;
    await approve(made.id, wallet, find("signed"));
  }
  location.assign(`/payments/${made.id}`);
});

// A request that was paid or ended meanwhile says so on its own page. After a lost answer nobody knows whether the payment
// was made: the same again tells, and makes no second one.
function refused(error) {
  if (error.code === "request_not_open") return navigate(`/requests/${form.dataset.request}`);
  if (!isLost(error)) throw error;
  throw new Error(`${error.message} ${words("Press the button again: it is not paid twice.")}`);
}
