// A handle and its first passkey, or its owner's Ethereum wallet, in one step, and then recovery codes. Until one of them
// has signed nothing is claimed, so whoever cancels can start again with the same handle.

import { isLost, post } from "./api.js";
import { signUpWithEthereum } from "./ethereum.js";
import { disablePage, find, messageOf, onSubmit, showFieldError, showStatus, whileBusy } from "./page.js";
import { obstacle, signUp } from "./passkey.js";
import { showCodes } from "./recovery-codes.js";
import { words } from "./words.js";

const form = find("sign-up");
const passkey = form.querySelector("button[type=submit]");

// At another address nobody signs up; in a browser without passkeys an Ethereum wallet still does.
obstacle().then((why) => {
  if (why?.href) disablePage(why);
  else if (why) {
    showStatus(why.text, "wrong");
    passkey.disabled = true;
  }
}, (error) => showStatus(messageOf(error), "wrong"));

onSubmit(form, async (filled) => {
  showStatus(words("Make a passkey, as your browser asks you to. The handle is claimed when it is made."));
  const ifLost = words("If your device has kept the passkey, sign in with it: the handle may be yours.");
  await claimed(() => signUp(filled.get("handle"), filled.get("device") || words("My first passkey")), ifLost);
});

find("with-ethereum").addEventListener("click", ({ currentTarget }) =>
  whileBusy(currentTarget, async () => {
    if (!form.reportValidity()) return;
    showStatus(words("Sign the message in your Ethereum wallet. It costs nothing; the handle is claimed when it is signed."));
    const ifLost = words("Sign in with your Ethereum wallet: the handle may be yours.");
    await claimed(() => signUpWithEthereum(find("handle").value), ifLost);
    find("key-of-passkey").hidden = true;
    find("key-of-ethereum").hidden = false;
  }),
);
find("with-ethereum").disabled = false;

// What is wrong with the handle is said at it. The answer may be lost after the handle was claimed.
async function claimed(claim, ifLost) {
  const mine = await claim().catch((error) => {
    if (isLost(error)) throw new Error(`${error.message} ${ifLost}`);
    if (!["invalid_handle", "handle_taken"].includes(error.code)) throw error;
    showStatus("");
    showFieldError(find("handle"), error.message);
  });
  if (!mine) return;
  showStatus(words("Making your recovery codes…"));
  const codes = await post("/v1/recovery-codes").catch(() => undefined);
  show(mine, codes?.codes);
}

function show(mine, codes) {
  if (codes) {
    showCodes(codes, mine.handle, () => location.assign("/"));
    showStatus(words("Keep the recovery codes before you go on: they are shown this once."), "good");
  } else {
    find("go-on").hidden = false;
    showStatus(words("You have signed up, but have no recovery codes yet. Make them in your wallet."), "wrong");
  }
  find("key").textContent = mine.api_key;
  find("before").hidden = true;
  find("have-one").hidden = true;
  find("after").hidden = false;
  find("welcome").textContent = words("{handle} is yours", { handle: `@${mine.handle}` });
  find("welcome").focus();
}
