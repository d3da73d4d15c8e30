// The browser's side of passkeys: making one, and having one sign.

import { get, post } from "./api.js";
import { words } from "./words.js";

// Why passkeys cannot be used on this page: { text, href }, where `href` is the address at which they can. Or nothing.
export async function obstacle() {
  const { origin, has_passkeys: possible } = await get("/site.json");
  if (!possible) {
    return { text: words("This gateway has no address at which browsers use passkeys. Whoever runs it sets GATEWAY_PUBLIC_URL.") };
  }
  if (location.origin !== origin) {
    return { text: words("Passkeys do not work at this address. Open this page at"), href: origin + location.pathname };
  }
  if (window.PublicKeyCredential === undefined || !window.isSecureContext) {
    return { text: words("This browser cannot use passkeys. Open this page in one that can.") };
  }
  return undefined;
}

export function bytesOf(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

export function textOf(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// What a challenge is of: SHA-256 of its parts, each behind its length in four bytes (gateway/identity/sign_in/passkey_verification.py). A page
// makes it from what it shows, so that what is signed is what was seen.
export async function challengeOf(purpose, wallet, details, nonce) {
  const encoder = new TextEncoder();
  const parts = ["wallet-gateway challenge 1", purpose, wallet, ...details].map((part) => encoder.encode(part));
  parts.push(nonce);
  const whole = new Uint8Array(parts.reduce((size, part) => size + 4 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    new DataView(whole.buffer).setUint32(at, part.length);
    whole.set(part, at + 4);
    at += 4 + part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

// Have the browser make a passkey over a challenge, as the API takes it.
async function create(asked) {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: bytesOf(asked.challenge),
      rp: { id: asked.rp_id, name: "Wallet gateway" },
      user: { id: bytesOf(asked.user_id), name: asked.user_name, displayName: asked.user_name },
      pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: asked.exclude.map((id) => ({ type: "public-key", id: bytesOf(id) })),
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
    },
  });
  return {
    id: made.id,
    client_data: textOf(made.response.clientDataJSON),
    attestation: textOf(made.response.attestationObject),
  };
}

// Make a passkey and submit it with `send`. The authenticator forgets one that is refused (WebAuthn Level 3, signal API).
async function register(asked, send) {
  const { id, ...made } = await create(asked);
  try {
    return await send(made);
  } catch (error) {
    if (error.status >= 400 && error.status < 500) {
      await PublicKeyCredential.signalUnknownCredential?.({ rpId: asked.rp_id, credentialId: id }).catch(() => {});
    }
    throw error;
  }
}

// Make a passkey and add it to the wallet, whose owner asks by their session.
export async function add(name) {
  const asked = await post("/v1/passkeys/challenge");
  return register(asked, (made) => post("/v1/passkeys", { name, ...made }));
}

// Sign up: the handle is claimed together with the passkey that is made for it, or not at all.
export async function signUp(handle, name) {
  const asked = await post("/v1/sign-ups/challenge", { handle });
  return register(asked, (made) => post("/v1/sign-ups", { handle, user_id: asked.user_id, name, ...made }));
}

// Have a passkey sign a challenge; of which, the browser knows, or one of `allow`.
export async function sign(challenge, rpId, allow = []) {
  const signed = await navigator.credentials.get({
    publicKey: {
      challenge,
      rpId,
      allowCredentials: allow.map((id) => ({ type: "public-key", id: bytesOf(id) })),
      userVerification: "required",
    },
  });
  return {
    credential_id: textOf(signed.rawId),
    client_data: textOf(signed.response.clientDataJSON),
    authenticator_data: textOf(signed.response.authenticatorData),
    signature: textOf(signed.response.signature),
  };
}

// Sign in, or once more, for what only a few minutes may pass before.
export async function signIn() {
  const asked = await post("/v1/sessions/passkey/challenge");
  return post("/v1/sessions/passkey", await sign(bytesOf(asked.challenge), asked.rp_id));
}

// Make the passkey of an operator who has a code for it (gateway/operators/sign_in.py).
export async function enrolOperator(name, code) {
  const asked = await post("/v1/operator/enrolment/challenge", { name });
  return register(asked, (made) => post("/v1/operator/enrolment", { name, code, ...made }));
}

// Sign in as an operator: the session lies in a cookie of its own.
export async function signInOperator() {
  const asked = await post("/v1/operator/session/challenge");
  return post("/v1/operator/session/cookie", await sign(bytesOf(asked.challenge), asked.rp_id));
}
