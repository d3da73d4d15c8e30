// What only an owner may: they sign once more, with what they signed in with, when that was some minutes ago.

import { get } from "./api.js";
import { signInWithEthereum } from "./ethereum.js";
import { showStatus } from "./page.js";
import { signIn } from "./passkey.js";
import { words } from "./words.js";

// Do it: once more after signing in again, should the session be too old for it.
export async function asOwner(act) {
  try {
    return await act();
  } catch (error) {
    if (!error.type?.endsWith(":sign_in_again")) throw error;
    await signInAgain();
    return act();
  }
}

// A wallet without a passkey is its Ethereum wallet's; once it has one, only passkeys are its owner's.
async function signInAgain() {
  const [{ items: sessions }, { items: passkeys }] = await Promise.all([get("/v1/sessions"), get("/v1/passkeys")]);
  const here = sessions.find((one) => one.current);
  if (here?.sign_in_method === "ethereum" && passkeys.length === 0) {
    showStatus(words("Sign once more in your Ethereum wallet for this."));
    await signInWithEthereum(here.handle);
  } else {
    showStatus(words("Use your passkey once more for this."));
    await signIn();
  }
}
