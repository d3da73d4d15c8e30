// Passkeys, recovery codes and sessions: who may come in. What only an owner may asks for the passkey once more, when it
// was used some minutes ago.

import { call, get, post } from "./api.js";
import { deviceOf, during, find, make, onSubmit, say, time } from "./page.js";
import { add, signIn } from "./passkey.js";

let again = async () => {};
let recovering = false; // the session is of a recovery code: it adds a passkey, and ends

export async function show(reload) {
  again = reload;
  const [{ items, recovery_codes_left: left }, { items: sessions }] = await Promise.all([
    get("/v1/passkeys"),
    get("/v1/sessions"),
  ]);
  recovering = sessions.some((one) => one.current && one.begun_by === "recovery_code");
  find("passkeys").replaceChildren(...items.map(passkeyLine));
  find("codes-left").textContent = left === 1 ? "1 recovery code is left." : `${left} recovery codes are left.`;
  find("sessions").replaceChildren(...sessions.map(sessionLine));
}

// Do what only an owner may: once more after signing in again, should the session be too old for it.
export async function asOwner(act) {
  try {
    return await act();
  } catch (error) {
    if (!error.type?.endsWith(":sign_in_again") || recovering) throw error;
    say("Use your passkey once more for this.");
    await signIn();
    return act();
  }
}

function passkeyLine(one) {
  const used = one.last_used_at ? `used ${time(one.last_used_at)}` : "not used yet";
  const revoke = make("button", { class: "quiet", type: "button", "aria-label": `Revoke the passkey ${one.name}` }, "Revoke");
  revoke.addEventListener("click", () =>
    during(revoke, async () => {
      await asOwner(() => call("DELETE", `/v1/passkeys/${one.id}`));
      say(`The passkey ${one.name} signs no more.`, "good");
      await again();
    }),
  );
  return make("li", { class: "line" }, make("span", {}, one.name, make("small", {}, used)), revoke);
}

function sessionLine(one) {
  const how = { passkey: "with a passkey", ethereum: "with an Ethereum wallet", recovery_code: "with a recovery code" };
  const device = make("span", { class: "device" }, deviceOf(one.device));
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
  if (recovering) await signIn();
  find("add-passkey").reset();
  say("It signs for your wallet from now on.", "good");
  await again();
});

find("make-codes").addEventListener("click", (event) =>
  during(event.target, async () => {
    const { codes } = await asOwner(() => post("/v1/recovery-codes"));
    find("codes").replaceChildren(...codes.map((code) => make("li", {}, make("code", {}, code))));
    find("codes").hidden = false;
    say("Keep these codes: they are shown this once, and those before are good no more.", "good");
    await again();
  }),
);
