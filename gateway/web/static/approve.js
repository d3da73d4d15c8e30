// Approve a payment that waits. A passkey signs what stands on the page: the parts of the challenge are read from the very
// words that are shown, so that whatever altered those has altered what is signed, and is refused.

import { post } from "./api.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";

// The parts that are shown within an element, in their order.
export function partsIn(signed) {
  const parts = [...signed.querySelectorAll("[data-part]")].sort((one, other) => one.dataset.part - other.dataset.part);
  return parts.map((part) => part.textContent);
}

// The payment `id` of the wallet `wallet`, by the words within `signed`.
export async function approve(id, wallet, signed) {
  const path = `/v1/payments/${id}/approval`;
  const asked = await post(`${path}/challenge`);
  const challenge = await challengeOf("payment.approve", wallet, partsIn(signed), bytesOf(asked.nonce));
  return post(path, await sign(challenge, asked.rp_id, asked.allow));
}
