// Unfreeze withdrawals of an asset: everything is compared first, which takes a while.

import { post } from "./api.js";
import { confirmDialog, showStatus, whileBusy } from "./page.js";
import { words } from "./words.js";

for (const button of document.querySelectorAll("button.unfreeze")) {
  const { asset } = button.dataset;
  button.addEventListener("click", async () => {
    const title = words("Unfreeze withdrawals of {asset}?", { asset });
    if (!(await confirmDialog(title, words("Payments out that wait go on at once."), words("Unfreeze")))) return;
    await whileBusy(button, async () => {
      showStatus(words("Comparing everything…"));
      await post(`/v1/operator/withdrawals/${encodeURIComponent(asset)}/unfreeze`);
      location.reload();
    });
  });
  button.disabled = false;
}
