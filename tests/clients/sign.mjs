// Signs what a payment's `to_sign` says, as it is, with a library that wallets are written with. Standard input: JSON of
// `library`, `key` and `to_sign`. Standard output: JSON of the signature, and the same in EIP-2098's 64 bytes.

import { readFileSync } from "node:fs";
import { Signature, Wallet } from "ethers";
import { parseSignature, serializeCompactSignature, signatureToCompactSignature } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const { library, key, to_sign: asked } = JSON.parse(readFileSync(0, "utf8"));

const sign = {
  ethers: async () => {
    const signature = await new Wallet(key).signTypedData(asked.domain, asked.types, asked.message);
    return { signature, compact: Signature.from(signature).compactSerialized };
  },
  viem: async () => {
    const signature = await privateKeyToAccount(key).signTypedData(asked);
    const compact = serializeCompactSignature(signatureToCompactSignature(parseSignature(signature)));
    return { signature, compact };
  },
};

process.stdout.write(JSON.stringify(await sign[library]()));
