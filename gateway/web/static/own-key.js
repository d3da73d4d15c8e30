// Export the private key of the wallet's address, as text or as a file behind a password; or be paid at one's own address.

import { post } from "./api.js";
import { account, signed } from "./ethereum.js";
import { keystoreOf } from "./keystore.js";
import { asOwner } from "./owner.js";
import { confirmDialog, download, fileName, find, navigate, onSubmit, showFieldError, showStatus, showStatusNext, whileBusy } from "./page.js";
import { words } from "./words.js";

const SHORTEST = 12; // letters of a password

const { handle, address } = find("export").dataset;
let key = ""; // once it was exported; on this page alone

onSubmit(find("export"), async (form) => {
  const typed = form.get("confirm").trim().toLowerCase().replace(/^@/, "");
  if (typed !== handle) return showFieldError(find("confirm"), words("This is not your handle. Type {handle}.", { handle: `@${handle}` }));
  const text = words("Whoever sees it can take all tokens there. Be alone with this screen, and never send it to anybody.");
  if (!(await confirmDialog(words("Show the private key?"), text, words("Show it")))) return undefined;
  const exported = await asOwner(() => post("/v1/wallet/key/export", { confirm: `@${handle} exports the key of ${address}` }));
  key = exported.private_key;
  find("private-key").textContent = key;
  find("export").hidden = true;
  find("exported").hidden = false;
  return showStatus(words("Whoever has this key has your tokens. We tell nobody, and ask you for it never."), "wrong");
});

find("copy-private-key").addEventListener("click", ({ currentTarget }) =>
  whileBusy(currentTarget, async () => {
    await navigator.clipboard.writeText(key);
    showStatus(words("Copied."), "good");
  }),
);

onSubmit(find("keystore"), async (form) => {
  const password = form.get("password");
  if (password.length < SHORTEST) return showFieldError(find("password"), words("This is too short: at least {count} characters.", { count: SHORTEST }));
  showStatus(words("Making the file…"));
  download(fileName("key", handle, "json"), await keystoreOf(address, key, password), "application/json");
  find("keystore").reset();
  return showStatus(words("The file is in your downloads. Without its password nobody opens it."), "good");
});

find("bind").addEventListener("click", ({ currentTarget }) =>
  whileBusy(currentTarget, async () => {
    const own = await account();
    const text = words("You are paid at {address} from then on, and your tokens are sent there. Token payments need its signature.", { address: own });
    if (!(await confirmDialog(words("Use this address?"), text, words("Use it")))) return undefined;
    await asOwner(async () => {
      const asked = await post("/v1/wallet/address/challenge", { address: own });
      await post("/v1/wallet/address", await signed(asked));
    });
    showStatusNext(words("You are paid at your own address from now on."));
    return navigate();
  }),
);
find("bind").disabled = false;
