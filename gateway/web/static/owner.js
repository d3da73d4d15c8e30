// What only an owner may: the passkey is asked for once more, when it was used some minutes ago.

import { say } from "./page.js";
import { signIn } from "./passkey.js";
import { words } from "./words.js";

let recovering = false; // the session is of a recovery code: it adds a passkey, and ends

export const isRecovering = () => recovering;
export const setRecovering = (is) => (recovering = is);

// Do it: once more after signing in again, should the session be too old for it.
export async function asOwner(act) {
  try {
    return await act();
  } catch (error) {
    if (!error.type?.endsWith(":sign_in_again") || recovering) throw error;
    say(words("Use your passkey once more for this."));
    await signIn();
    return act();
  }
}
