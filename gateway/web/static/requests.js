// Ask somebody for money. The form's key is the page's, so pressing again after a lost answer makes no second request. A
// page opened anew has a new key.

import { isLost, post } from "./api.js";
import { find, navigate, onSubmit, showFieldError } from "./page.js";
import { words } from "./words.js";

const form = find("ask");
onSubmit(form, async (filled) => {
  const text = (name) => filled.get(name).trim();
  const asked = { from: text("from"), amount: text("amount").replace(",", "."), asset: text("asset") };
  if (text("memo")) asked.memo = text("memo");
  const made = await post("/v1/requests", asked, { idempotencyKey: form.dataset.key }).catch(refused);
  if (made) await navigate(`/requests/${made.id}`);
});

// What was wrong with a field is said there; and nobody knows whether a call without an answer asked: the same again tells.
function refused(error) {
  const again = words("Press the button again: it is not asked twice.");
  if (isLost(error)) throw new Error(`${error.message} ${again}`);
  const often = error.type.endsWith(":day")
    ? words("You have made too many requests today. Try again tomorrow.")
    : words("Too many of your requests to this wallet are open. Cancel one, or wait until one is paid or declined.");
  const [field, text] =
    {
      unknown_handle: ["to", words("Nobody has this handle. Check how it is written.")],
      invalid_handle: ["to", words("Nobody has this handle. Check how it is written.")],
      self_payment: ["to", words("That is you.")],
      invalid_amount: ["amount", words("Write an amount such as 12.50.")],
      amount_too_precise: ["amount", words("This has more decimals than the currency.")],
      request_limit: ["to", often],
      wallet_frozen: ["to", words("Your wallet is frozen: you cannot ask for money until it is unfrozen.")],
    }[error.code] ?? [];
  if (!field) throw error;
  showFieldError(find(field), text);
  return undefined;
}
