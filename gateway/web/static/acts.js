// Buttons that ask the API for one thing: which, is in their data (templates/acts.html). What cannot be undone is
// confirmed first, what only an owner may asks for the passkey once more, and then the page is made anew.

import { call } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmed, during, leave, say, sayNext } from "./page.js";

async function act({ act: method, path, body, done, title, text, yes, next, never }) {
  if (never) return say(never, "wrong");
  if (title && !(await confirmed(title, text, yes))) return undefined;
  await asOwner(() => call(method, path, body ? JSON.parse(body) : undefined));
  if (done) sayNext(done);
  return leave(next);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button) during(button, () => act(button.dataset));
});

function wake() {
  for (const button of document.querySelectorAll("button[data-act]")) button.disabled = false;
}
wake();
document.addEventListener("htmx:after:swap", wake);
