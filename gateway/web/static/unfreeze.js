// Unfreeze the wallet with a passkey, which signs the wallet's id and nothing else.

import { post } from "./api.js";
import { find, navigate, showStatusNext, whileBusy } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

const button = find("unfreeze");
button.addEventListener("click", () =>
  whileBusy(button, async () => {
    const asked = await post("/v1/wallet/unfreeze/challenge");
    const challenge = await challengeOf("wallet.unfreeze", button.dataset.wallet, [], bytesOf(asked.nonce));
    const { frozen } = await post("/v1/wallet/unfreeze", await sign(challenge, asked.rp_id, asked.allow));
    showStatusNext(frozen ? words("Your freeze has ended. The operators froze the wallet, too: ask them to unfreeze it.") : words("Your wallet is unfrozen."));
    return navigate("/");
  }),
);
button.disabled = false;
