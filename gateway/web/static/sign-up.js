// A handle, the first passkey, and then: signed in, with recovery codes.

import { post } from "./api.js";
import { find, make, onSubmit, say } from "./page.js";
import { add, signIn, supported } from "./passkey.js";

let claimed; // what was claimed, should making the passkey be cancelled and tried again

if (!supported()) say("This browser has no passkeys, or not at this address. Open the gateway by its name.", "wrong");

onSubmit(find("sign-up"), async (form) => {
  const handle = form.get("handle");
  if (claimed?.typed !== handle) {
    say("Claiming the handle…");
    claimed = { ...(await post("/v1/handles", { handle })), typed: handle };
    find("handle").readOnly = true;
  }
  say("Now make a passkey, as your browser asks you to.");
  await add(form.get("device") || "My first passkey", claimed.api_key);
  say("Signing in with it…");
  await signIn();
  const { codes } = await post("/v1/recovery-codes");
  find("codes").append(...codes.map((code) => make("li", {}, make("code", {}, code))));
  find("key").textContent = claimed.api_key;
  find("welcome").textContent = `@${claimed.handle} is yours`;
  find("before").hidden = true;
  find("after").hidden = false;
  find("welcome").focus();
  say("Keep the recovery codes before you go on: they are shown this once.", "good");
});
