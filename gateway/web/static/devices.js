// Passkeys, recovery codes and sessions: who may come in. What only an owner may asks for the passkey once more, when it
// was used some minutes ago.

import { call, get, isLost, post } from "./api.js";
import { asOwner, isRecovering, setRecovering } from "./owner.js";
import { confirmed, deviceOf, during, find, make, onSubmit, say, time } from "./page.js";
import { add, signIn } from "./passkey.js";

let again = async () => {};

export async function show(reload) {
  again = reload;
  const [{ items, recovery_codes_left: left }, { items: sessions }] = await Promise.all([
    get("/v1/passkeys"),
    get("/v1/sessions"),
  ]);
  setRecovering(sessions.some((one) => one.current && one.begun_by === "recovery_code"));
  find("passkeys").replaceChildren(...items.map(passkeyLine));
  find("codes-left").textContent = `${codes(left)} ${left === 1 ? "is" : "are"} left.`;
  find("sessions").replaceChildren(...sessions.map(sessionLine));
}

const codes = (count) => (count === 1 ? "1 recovery code" : `${count} recovery codes`);

// What revoking a passkey does. The last one goes only while there is a recovery code: else nobody could sign in again.
function consequences(isLast, left) {
  if (!isLast) return "It signs nothing from then on, and whoever has signed in with it is signed out. This cannot be undone.";
  return `It is your only passkey. You are signed out, and get in again only with a recovery code: you have ${codes(left)}. This cannot be undone.`;
}

async function revoke(one) {
  const { items, recovery_codes_left: left } = await get("/v1/passkeys");
  const isLast = items.length === 1;
  if (isLast && left === 0) {
    say("This is your only passkey, and you have no recovery code: add another passkey or make recovery codes first.", "wrong");
    return;
  }
  if (!(await confirmed(`Revoke the passkey ${one.name}?`, consequences(isLast, left), "Revoke it"))) return;
  await asOwner(() => call("DELETE", `/v1/passkeys/${one.id}`));
  say(`The passkey ${one.name} signs no more.`, "good");
  await again();
}

function passkeyLine(one) {
  const used = one.last_used_at ? `used ${time(one.last_used_at)}` : "not used yet";
  const button = make("button", { class: "quiet", type: "button", "aria-label": `Revoke the passkey ${one.name}` }, "Revoke");
  button.addEventListener("click", () => during(button, () => revoke(one)));
  return make("li", { class: "line" }, make("span", {}, one.name, make("small", {}, used)), button);
}

function sessionLine(one) {
  const how = { passkey: "with a passkey", ethereum: "with an Ethereum wallet", recovery_code: "with a recovery code" };
  const device = make("span", {}, deviceOf(one.device));
  device.append(make("small", {}, `${how[one.begun_by]}, ${time(one.created_at)}${one.current ? " · this one" : ""}`));
  if (one.current) return make("li", { class: "line" }, device);
  const end = make("button", { class: "quiet", type: "button", "aria-label": `Sign out ${deviceOf(one.device)}` }, "Sign out");
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
  say("It signs for your wallet from now on.", "good");
  await again();
});

// The answer may be lost after the codes were replaced: then nobody has the new ones, and making them again helps.
function lost(error) {
  if (!isLost(error)) throw error;
  throw new Error(`${error.message} The codes you have may work no more: make new ones.`);
}

find("make-codes").addEventListener("click", (event) =>
  during(event.target, async () => {
    const { recovery_codes_left: left } = await get("/v1/passkeys");
    const ends = `The ${codes(left)} that you have stop working at once. The new ones are shown this once.`;
    if (left > 0 && !(await confirmed("Replace your recovery codes?", ends, "Replace them"))) return;
    const made = await asOwner(() => post("/v1/recovery-codes")).catch(lost);
    find("codes").replaceChildren(...made.codes.map((code) => make("li", {}, make("code", {}, code))));
    find("codes").hidden = false;
    say("Keep these codes: they are shown this once, and those before are good no more.", "good");
    await again();
  }),
);
