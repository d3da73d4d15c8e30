// Who may come in, and what pays without asking.

import { get } from "./api.js";
import { show as showDevices } from "./devices.js";
import { show as showGrants } from "./grants.js";
import { find, say, wordsOf } from "./page.js";

// One after the other: what was asked for earlier is never shown over what was asked for later.
let shown = Promise.resolve();
const again = () => (shown = shown.catch(() => {}).then(show));

async function show() {
  await showGrants(await get("/v1/wallet"), again);
  await showDevices(again);
  find("main").setAttribute("aria-busy", "false");
}

again().catch((error) => (error.status === 401 ? location.replace("/sign-in?next=/settings") : say(wordsOf(error), "wrong")));
