// Pays tokens out of an address of one's own, with a library that wallets are written with: binds the address to the
// handle (EIP-4361), pays, and signs what is to sign (EIP-712, EIP-3009); then signs an authorization without asking the
// gateway first, and has it settled without an API key. Nothing else has the private key.
//
// Standard input: JSON of `library`, `url`, `apiKey`, `key`, `handle`, `to` and `amount`. Standard output: JSON of the
// address and of the two payments, once they are settled.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Wallet } from "ethers";
import { privateKeyToAccount } from "viem/accounts";

const { library, url, apiKey, key, to, amount } = JSON.parse(readFileSync(0, "utf8"));

/** What signs, the same for each library. */
const signers = {
  ethers: () => {
    const wallet = new Wallet(key);
    return {
      address: wallet.address,
      signMessage: (text) => wallet.signMessage(text),
      signTypedData: ({ domain, types, message }) => wallet.signTypedData(domain, types, message),
    };
  },
  viem: () => {
    const account = privateKeyToAccount(key);
    return {
      address: account.address,
      signMessage: (text) => account.signMessage({ message: text }),
      signTypedData: (data) => account.signTypedData(data),
    };
  },
};

async function call(method, path, body, headers = { Authorization: `Bearer ${apiKey}` }) {
  const answer = await fetch(url + path, {
    method,
    headers: { ...headers, "Content-Type": "application/json", "Idempotency-Key": randomBytes(16).toString("hex") },
    body: body && JSON.stringify(body),
  });
  const shown = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${shown.detail}`);
  return shown;
}

async function settled(id) {
  for (;;) {
    const payment = await call("GET", `/v1/payments/${id}`);
    if (!["queued", "submitted"].includes(payment.state)) return payment;
  }
}

const signer = signers[library]();
const { message } = await call("POST", "/v1/wallet/address/challenge", { address: signer.address });
await call("POST", "/v1/wallet/address", { message, signature: await signer.signMessage(message) });
for (;;) {
  const { balances } = await call("GET", "/v1/wallet"); // the tokens follow from the address before
  if (Number(balances.find((one) => one.asset === "USDX").available) >= 2 * Number(amount)) break;
}

const asked = await call("POST", "/v1/payments", { to, amount, asset: "USDX" });
const signature = await signer.signTypedData(asked.to_sign);
await call("POST", `/v1/payments/${asked.id}/signature`, { signature });
const confirmed = await settled(asked.id);

const authorization = { ...asked.to_sign.message, nonce: "0x" + randomBytes(32).toString("hex") };
const signed = await signer.signTypedData({ ...asked.to_sign, message: authorization });
const submitted = await call("POST", "/v1/authorizations", { asset: "USDX", ...authorization, signature: signed }, {});
const relayed = await settled(submitted.id);

console.log(JSON.stringify({ address: signer.address, confirmed, relayed }));
