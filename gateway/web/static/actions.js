// Buttons that make one call of the API, which is in their data (templates/actions.html). What cannot be undone is confirmed
// first, what only an owner may do asks for the passkey again, and then the page is loaded again.

import { call } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmDialog, navigate, nowAndAfterSwaps, showStatus, showStatusNext, whileBusy } from "./page.js";

async function send({ method, path, body, done, next }) {
  await asOwner(() => call(method, path, body ? JSON.parse(body) : undefined));
  if (done) showStatusNext(done);
  return navigate(next);
}

// The button is disabled only once it is confirmed: a dialog that was closed gives the focus back to it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-method]");
  if (!button) return undefined;
  const asked = { ...button.dataset }; // as it stood there: the page may be brought up to date behind the dialog
  if (asked.never) return showStatus(asked.never, "wrong");
  if (asked.title && !(await confirmDialog(asked.title, asked.text, asked.yes, asked.no))) return undefined;
  return whileBusy(button, () => send(asked));
});

nowAndAfterSwaps(() => {
  for (const button of document.querySelectorAll("button[data-method]")) button.disabled = false;
});
