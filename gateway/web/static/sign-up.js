// A handle and its first passkey in one step, and then recovery codes. Until the passkey is made nothing is claimed, so
// whoever cancels can start again with the same handle.

import { isLost, post } from "./api.js";
import { find, onSubmit, say, stop, wordsOf } from "./page.js";
import { obstacle, signUp } from "./passkey.js";
import { showCodes } from "./recovery-codes.js";
import { words } from "./words.js";

obstacle().then((why) => why && stop(why), (error) => say(wordsOf(error), "wrong"));

onSubmit(find("sign-up"), async (form) => {
  say(words("Make a passkey, as your browser asks you to. The handle is claimed when it is made."));
  const mine = await signUp(form.get("handle"), form.get("device") || words("My first passkey")).catch(lost);
  say(words("Making your recovery codes…"));
  const codes = await post("/v1/recovery-codes").catch(() => undefined);
  show(mine, codes?.codes);
});

// The answer may be lost after the handle was claimed: then the passkey opens it.
function lost(error) {
  if (!isLost(error)) throw error;
  throw new Error(`${error.message} ${words("If your device has kept the passkey, sign in with it: the handle may be yours.")}`);
}

function show(mine, codes) {
  if (codes) {
    showCodes(codes, mine.handle, () => location.assign("/"));
    say(words("Keep the recovery codes before you go on: they are shown this once."), "good");
  } else {
    find("go-on").hidden = false;
    say(words("You have signed up, but have no recovery codes yet. Make them in your wallet."), "wrong");
  }
  find("key").textContent = mine.api_key;
  find("before").hidden = true;
  find("have-one").hidden = true;
  find("after").hidden = false;
  find("welcome").textContent = words("{handle} is yours", { handle: `@${mine.handle}` });
  find("welcome").focus();
}
