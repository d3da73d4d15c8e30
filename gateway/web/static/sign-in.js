// Sign in, in three ways.

import { post } from "./api.js";
import { signInByLink } from "./link.js";
import { signInWithEthereum } from "./ethereum.js";
import { back, during, find, onSubmit, say, sayLast, stop, wordsOf } from "./page.js";
import { obstacle, signIn } from "./passkey.js";
import { words } from "./words.js";

sayLast();
if (location.hash === "#signed-out") say(words("You are signed out. Sign in again."));

signInByLink("/v1/sessions/link");

// At another address nobody signs in; in a browser without passkeys an Ethereum wallet or a recovery code still does.
obstacle().then((why) => {
  if (why?.href) stop(why);
  else if (why) {
    say(why.text, "wrong");
    find("passkey").disabled = true;
  }
}, (error) => say(wordsOf(error), "wrong"));

find("passkey").addEventListener("click", (event) =>
  during(event.target, async () => {
    say(words("Use your passkey, as your browser asks you to."));
    await signIn();
    back();
  }),
);
find("passkey").disabled = false;

onSubmit(find("ethereum"), async (form) => {
  await signInWithEthereum(form.get("handle"));
  back();
});

onSubmit(find("recovery"), async (form) => {
  await post("/v1/sessions/recovery-code", { handle: form.get("handle"), code: form.get("code") });
  back();
});
