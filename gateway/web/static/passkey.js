// The browser's side of passkeys: making one, and having one sign.

import { post } from "./api.js";

export const supported = () => window.PublicKeyCredential !== undefined && window.isSecureContext;

export function bytesOf(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

export function textOf(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

// What a challenge is of: SHA-256 of its parts, each behind its length in four bytes (gateway/access/ceremony.py). A page
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

// Make a passkey and add it to the wallet, whose owner asks by their session, or at sign-up by the key.
export async function add(name, key) {
  const asked = await post("/v1/passkeys/challenge", undefined, { key });
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
  return post(
    "/v1/passkeys",
    { name, client_data: textOf(made.response.clientDataJSON), attestation: textOf(made.response.attestationObject) },
    { key },
  );
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
