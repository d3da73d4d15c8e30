// Close the wallet for ever: confirmed by typing the handle, and once more in a dialog.

import { post } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmDialog, find, navigate, nowAndAfterSwaps, onSubmit, showFieldError, showStatusNext } from "./page.js";
import { words } from "./words.js";

async function close(form) {
  const { handle } = find("close").dataset;
  const typed = form.get("confirm").trim().toLowerCase().replace(/^@/, "");
  if (typed !== handle) return showFieldError(find("confirm"), words("This is not your handle. Type {handle}.", { handle: `@${handle}` }));
  const ends = words("It cannot be opened again, by nobody.");
  if (!(await confirmDialog(words("Close {handle} for ever?", { handle: `@${handle}` }), ends, words("Close it for ever")))) return undefined;
  await asOwner(() => post("/v1/wallet/close", { confirm: `@${handle} closes this wallet for ever` }));
  showStatusNext(words("{handle} is closed.", { handle: `@${handle}` }));
  return navigate("/sign-in");
}

// The form comes once the wallet is empty, and goes when money comes in.
let known;
function setUp() {
  const form = find("close");
  if (form && form !== known) onSubmit(form, close);
  known = form;
}
nowAndAfterSwaps(setUp);
