// Approve a payment that waits. A passkey signs what stands on the page: the parts of the challenge are read from the very
// words that are shown, so that whatever altered those has altered what is signed, and is refused.

import { post } from "./api.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";

// The payment `id` of the wallet `wallet`, by the words within `signed`.
export async function approve(id, wallet, signed) {
  const path = `/v1/payments/${id}/approval`;
  const asked = await post(`${path}/challenge`);
  const parts = [...signed.querySelectorAll("[data-part]")].sort((one, other) => one.dataset.part - other.dataset.part);
  const shown = parts.map((part) => part.textContent);
  const challenge = await challengeOf("payment.approve", wallet, shown, bytesOf(asked.nonce));
  return post(path, await sign(challenge, asked.rp_id, asked.allow));
}
