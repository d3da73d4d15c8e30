// Buttons that ask the API for one thing: which, is in their data (templates/acts.html). What cannot be undone is
// confirmed first, what only an owner may asks for the passkey once more, and then the page is made anew.

import { call } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmed, during, leave, nowAndAfterSwaps, say, sayNext } from "./page.js";

async function act({ act: method, path, body, done, next }) {
  await asOwner(() => call(method, path, body ? JSON.parse(body) : undefined));
  if (done) sayNext(done);
  return leave(next);
}

// The button rests only once it is confirmed: a dialog that was closed gives the focus back to it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-act]");
  if (!button) return undefined;
  const asked = { ...button.dataset }; // as it stood there: the page may be brought up to date behind the dialog
  if (asked.never) return say(asked.never, "wrong");
  if (asked.title && !(await confirmed(asked.title, asked.text, asked.yes, asked.no))) return undefined;
  return during(button, () => act(asked));
});

nowAndAfterSwaps(() => {
  for (const button of document.querySelectorAll("button[data-act]")) button.disabled = false;
});
