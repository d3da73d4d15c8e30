// Sign in, in three ways.

import { post } from "./api.js";
import { signInByLink } from "./link.js";
import { signInWithEthereum } from "./ethereum.js";
import { disablePage, find, messageOf, onSubmit, returnToNext, showStatus, showStatusOfLastPage, whileBusy } from "./page.js";
import { obstacle, signIn } from "./passkey.js";
import { words } from "./words.js";

showStatusOfLastPage();
if (location.hash === "#signed-out") showStatus(words("You are signed out. Sign in again."));

signInByLink("/v1/sessions/link");

// At another address nobody signs in; in a browser without passkeys an Ethereum wallet or a recovery code still does.
obstacle().then((why) => {
  if (why?.href) disablePage(why);
  else if (why) {
    showStatus(why.text, "wrong");
    find("passkey").disabled = true;
  }
}, (error) => showStatus(messageOf(error), "wrong"));

find("passkey").addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    showStatus(words("Use your passkey, as your browser asks you to."));
    await signIn();
    returnToNext();
  }),
);
find("passkey").disabled = false;

onSubmit(find("ethereum"), async (form) => {
  await signInWithEthereum(form.get("handle"));
  returnToNext();
});

onSubmit(find("recovery"), async (form) => {
  await post("/v1/sessions/recovery-code", { handle: form.get("handle"), code: form.get("code") });
  returnToNext();
});
