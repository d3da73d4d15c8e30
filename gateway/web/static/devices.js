// Passkeys and sessions: who may come in. What only an owner may asks for the passkey once more, when it
// was used some minutes ago.

import { call, get } from "./api.js";
import { asOwner, isRecovering, setRecovering } from "./owner.js";
import { confirmed, deviceOf, during, find, make, onSubmit, say, time } from "./page.js";
import { add, signIn } from "./passkey.js";
import { words } from "./words.js";

let again = async () => {};

export async function show(reload) {
  again = reload;
  const [{ items }, { items: sessions }] = await Promise.all([
    get("/v1/passkeys"),
    get("/v1/sessions"),
  ]);
  setRecovering(sessions.some((one) => one.current && one.begun_by === "recovery_code"));
  find("passkeys").replaceChildren(...items.map(passkeyLine));
  find("sessions").replaceChildren(...sessions.map(sessionLine));
}

const codes = (count) => (count === 1 ? words("1 recovery code") : words("{count} recovery codes", { count }));

// What revoking a passkey does. The last one goes only while there is a recovery code: else nobody could sign in again.
function consequences(isLast, left) {
  if (!isLast) return words("It signs nothing from then on, and whoever has signed in with it is signed out. This cannot be undone.");
  return words("It is your only passkey. You are signed out, and get in again only with a recovery code: you have {codes}. This cannot be undone.", { codes: codes(left) });
}

async function revoke(one) {
  const { items, recovery_codes_left: left } = await get("/v1/passkeys");
  const isLast = items.length === 1;
  if (isLast && left === 0) {
    say(words("This is your only passkey, and you have no recovery code: add another passkey or make recovery codes first."), "wrong");
    return;
  }
  if (!(await confirmed(words("Revoke the passkey {name}?", { name: one.name }), consequences(isLast, left), words("Revoke it")))) return;
  await asOwner(() => call("DELETE", `/v1/passkeys/${one.id}`));
  say(words("The passkey {name} signs no more.", { name: one.name }), "good");
  await again();
}

function passkeyLine(one) {
  const used = one.last_used_at ? words("used {when}", { when: time(one.last_used_at) }) : words("not used yet");
  const button = make("button", { class: "quiet", type: "button", "aria-label": words("Revoke the passkey {name}", { name: one.name }) }, words("Revoke"));
  button.addEventListener("click", () => during(button, () => revoke(one)));
  return make("li", { class: "line" }, make("span", {}, one.name, make("small", {}, used)), button);
}

function sessionLine(one) {
  const how = { passkey: words("with a passkey"), ethereum: words("with an Ethereum wallet"), recovery_code: words("with a recovery code"), link: words("with the link of the gateway's start") };
  const here = words("this one");
  const device = make("span", {}, deviceOf(one.device));
  device.append(make("small", {}, `${how[one.begun_by]}, ${time(one.created_at)}${one.current ? ` · ${here}` : ""}`));
  if (one.current) return make("li", { class: "line" }, device);
  const end = make("button", { class: "quiet", type: "button", "aria-label": words("Sign out {device}", { device: deviceOf(one.device) }) }, words("Sign out"));
  end.addEventListener("click", () =>
    during(end, async () => {
      await call("DELETE", `/v1/sessions/${one.id}`);
      await again();
    }),
  );
  return make("li", { class: "line" }, device, end);
}

onSubmit(find("add-passkey"), async (form) => {
  await asOwner(() => add(form.get("device")));
  if (isRecovering()) await signIn();
  find("add-passkey").reset();
  say(words("It signs for your wallet from now on."), "good");
  await again();
});
