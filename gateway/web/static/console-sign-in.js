// Sign in to the console with an operator's passkey.

import { signInByLink } from "./link.js";
import { disablePage, find, messageOf, returnToNext, showStatus, whileBusy } from "./page.js";
import { obstacle, signInOperator } from "./passkey.js";
import { words } from "./words.js";

if (location.hash === "#signed-out") showStatus(words("You are signed out. Sign in again."));
if (location.hash === "#enrolled") showStatus(words("Your passkey is made. Sign in with it."), "good");

signInByLink("/v1/operator/session/link", "/console");

obstacle().then((why) => why && disablePage(why), (error) => showStatus(messageOf(error), "wrong"));

find("passkey").addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    showStatus(words("Use your passkey, as your browser asks you to."));
    await signInOperator();
    returnToNext("/console");
  }),
);
find("passkey").disabled = false;
