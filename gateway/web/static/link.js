// The link that the gateway printed at the machine: it signs in once. Its code stands behind the "#", and so is in no
// server's log; it goes from the address bar before anything else is done.

import { post } from "./api.js";
import { messageOf, returnToNext, showStatus } from "./page.js";

export async function signInByLink(path, home) {
  if (!location.hash.startsWith("#link=")) return;
  const code = location.hash.slice("#link=".length);
  history.replaceState(null, "", location.pathname + location.search);
  try {
    await post(path, { code });
    returnToNext(home);
  } catch (error) {
    showStatus(messageOf(error), "wrong");
  }
}
