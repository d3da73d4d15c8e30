// Money from the bank, to the bank, and between a currency and its token. The form's key makes a second press the same.

import { isLost, post } from "./api.js";
import { find, onSubmit, showStatus, withAllDecimals } from "./page.js";
import { bytesOf, challengeOf, sign } from "./passkey.js";
import { words } from "./words.js";

const form = find("bank");
const { kind, key, wallet } = form.dataset;

const SENT = {
  "top-up": (amount, asset) => send("/v1/deposits", { amount, asset }),
  withdraw: async (amount, asset) => {
    try {
      return await send("/v1/withdrawals", { amount, asset });
    } catch (error) {
      if (error.code !== "approval_required") throw error;
      showStatus(words("Use your passkey, as your browser asks you to."));
      const asked = await post("/v1/withdrawals/challenge", { amount, asset });
      const challenge = await challengeOf("withdrawal.approve", wallet, [amount, asset], bytesOf(asked.nonce));
      return send("/v1/withdrawals", { amount, asset, approval: await sign(challenge, asked.rp_id, asked.allow) });
    }
  },
  convert: (amount, way) => {
    const [asset, into] = way.split(" ");
    return send("/v1/conversions", { amount, asset, to_asset: into });
  },
};

const send = (path, body) => post(path, body, { idempotencyKey: `${key}-${body.amount}-${body.asset}` });

onSubmit(form, async (filled) => {
  const amount = withAllDecimals(filled.get("amount"), find("asset").selectedOptions[0].dataset.decimals);
  await SENT[kind](amount, filled.get("asset")).catch((error) => {
    if (!isLost(error)) throw error;
    throw new Error(`${error.message} ${words("Press the button again: it is not done twice.")}`);
  });
  location.assign("/");
});
