// Sign in to the console with an operator's passkey.

import { signInByLink } from "./link.js";
import { back, during, find, say, stop, wordsOf } from "./page.js";
import { obstacle, signInOperator } from "./passkey.js";
import { words } from "./words.js";

if (location.hash === "#signed-out") say(words("You are signed out. Sign in again."));
if (location.hash === "#enrolled") say(words("Your passkey is made. Sign in with it."), "good");

signInByLink("/v1/operator/session/link", "/console");

obstacle().then((why) => why && stop(why), (error) => say(wordsOf(error), "wrong"));

find("passkey").addEventListener("click", (event) =>
  during(event.target, async () => {
    say(words("Use your passkey, as your browser asks you to."));
    await signInOperator();
    back("/console");
  }),
);
find("passkey").disabled = false;
