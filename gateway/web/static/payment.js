// What can be done about a payment: approve or decline it, undo it, give it back, report it.

import { post } from "./api.js";
import { approve } from "./approve.js";
import { asOwner } from "./owner.js";
import { confirmDialog, find, nowAndAfterSwaps, onSubmit, whileBusy } from "./page.js";
import { words } from "./words.js";

const { id, wallet } = find("payment").dataset;
const path = `/v1/payments/${id}`;

const ACTS = {
  approve: () => approve(id, wallet, find("signed")),
  decline: () => asOwner(() => post(`${path}/decline`)),
  undo: () => post(`${path}/void`, {}, { idempotencyKey: `undo-${id}` }),
  report: async () => {
    const text = words("Nothing leaves it. After a day you can unfreeze it with your passkey.");
    if (!(await confirmDialog(words("Freeze your wallet?"), text, words("Freeze it")))) return false;
    await post(`${path}/report-unauthorized`);
    return true;
  },
};

// The buttons come anew with each state of the payment: one listener for all.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const act = ACTS[button?.id];
  if (act) whileBusy(button, async () => ((await act()) === false ? undefined : location.reload()));
});

// A repeat of the same refund has the same key: it is made once, however often its button is pressed.
const once = crypto.randomUUID();
if (find("refund")) {
  onSubmit(find("refund"), async (form) => {
    const amount = form.get("amount").trim().replace(",", ".");
    await post(`${path}/refund`, { amount }, { idempotencyKey: `refund-${once}-${amount}` });
    location.reload();
  });
}

// A button works once somebody listens to it; the time to undo runs down.
function setUp() {
  for (const button of document.querySelectorAll("#payment button")) button.disabled = false;
  const undo = find("undo");
  if (!undo) return;
  const left = Math.ceil((new Date(undo.dataset.until) - Date.now()) / 1000);
  undo.hidden = left <= 0;
  find("undo-clock").textContent = words("{seconds} s", { seconds: Math.max(left, 0) });
}
nowAndAfterSwaps(setUp);
setInterval(setUp, 500);
