// A private key in a file, behind a password: Web3 Secret Storage, version 3, which Ethereum wallets open.

import { keccak256 } from "./keccak.js";

const ROUNDS = 600_000; // of PBKDF2 with SHA-256

const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (hex) => Uint8Array.from(hex.replace(/^0x/, "").match(/../g), (pair) => Number.parseInt(pair, 16));

// The file's text.
export async function keystoreOf(address, privateKey, password) {
  const [salt, iv] = [crypto.getRandomValues(new Uint8Array(32)), crypto.getRandomValues(new Uint8Array(16))];
  const typed = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveBits"]);
  const derived = new Uint8Array(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, typed, 256));
  const key = await crypto.subtle.importKey("raw", derived.slice(0, 16), "AES-CTR", false, ["encrypt"]);
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CTR", counter: iv, length: 128 }, key, bytesOf(privateKey)));
  const mac = keccak256(Uint8Array.from([...derived.slice(16), ...ciphertext]));
  return JSON.stringify({
    version: 3,
    id: crypto.randomUUID(),
    address: address.replace(/^0x/, "").toLowerCase(),
    crypto: {
      cipher: "aes-128-ctr",
      cipherparams: { iv: hexOf(iv) },
      ciphertext: hexOf(ciphertext),
      kdf: "pbkdf2",
      kdfparams: { c: ROUNDS, dklen: 32, prf: "hmac-sha256", salt: hexOf(salt) },
      mac: hexOf(mac),
    },
  });
}
