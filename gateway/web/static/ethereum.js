// An Ethereum wallet in the browser (EIP-1193): which account it has, and a text that it signs (EIP-191).

import { post } from "./api.js";
import { words } from "./words.js";

// EIP-1193's code of a request that its user has declined.
const DECLINED = 4001;

async function ask(method, params) {
  if (!window.ethereum) throw new Error(words("This browser has no Ethereum wallet. Install one, or open this page in the browser of your wallet."));
  try {
    return await window.ethereum.request({ method, params });
  } catch (error) {
    if (error.code === DECLINED) throw new Error(words("You have declined in your Ethereum wallet: nothing was changed."));
    throw new Error(words("Your Ethereum wallet did not do it: {why}", { why: error.message ?? "" }));
  }
}

export async function account() {
  const [address] = await ask("eth_requestAccounts");
  if (!address) throw new Error(words("Your Ethereum wallet has shown no account."));
  return address;
}

// What the gateway wrote, signed by this address.
export async function signed({ message, address }) {
  const hex = Array.from(new TextEncoder().encode(message), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { message, signature: await ask("personal_sign", [`0x${hex}`, address]) };
}

export async function signInWithEthereum(handle) {
  const asked = await post("/v1/sessions/ethereum/challenge", { handle });
  await account();
  return post("/v1/sessions/ethereum", await signed(asked));
}

export async function signUpWithEthereum(handle) {
  const asked = await post("/v1/sign-ups/ethereum/challenge", { handle, address: await account() });
  return post("/v1/sign-ups/ethereum", await signed(asked));
}
