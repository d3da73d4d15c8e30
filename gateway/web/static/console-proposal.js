// Approve a proposal. The operator's passkey signs what stands on the page (gateway/operators/approvals.py).

import { post } from "./api.js";
import { partsIn } from "./approve.js";
import { find, showStatus, whileBusy } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

const button = find("approve");
if (button) {
  button.addEventListener("click", () =>
    whileBusy(button, async () => {
      const path = `/v1/operator/proposals/${button.dataset.id}`;
      const asked = await post(`${path}/challenge`);
      const shown = partsIn(find("signed"));
      const challenge = await challengeOf("operator.approve", button.dataset.operator, shown, bytesOf(asked.nonce));
      showStatus(words("Use your passkey, as your browser asks you to."));
      await post(`${path}/approve`, await sign(challenge, asked.rp_id, asked.allow));
      location.reload();
    }),
  );
  button.disabled = false;
}
