// Recovery codes: shown once, to copy, print or download, and confirmed by typing one. A typed code is compared here with
// what was just shown; the gateway then notes that its owner has it, and does not use it up.

import { get, isLost, post } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmDialog, download, fileName, find, make, onSubmit, showFieldError, showStatus, showStatusNext, whileBusy } from "./page.js";
import { words } from "./words.js";

// As the gateway reads what is typed (gateway/identity/sign_in/recovery_codes.py).
const MEANT = { o: "0", i: "1", l: "1", " ": "", "-": "" };
const meant = (typed) => typed.trim().toLowerCase().replace(/[oil -]/g, (letter) => MEANT[letter]);

const WRONG = words("This is none of the codes. Check it letter by letter.");

// Show these codes of a handle, and call `done` once one of them was typed.
export function showCodes(codes, handle, done) {
  find("sheet-of").textContent = `@${handle} · ${location.host}`;
  find("codes").replaceChildren(...codes.map((code) => make("li", {}, make("code", {}, code))));
  find("sheet").hidden = false;
  find("copy-codes").onclick = ({ currentTarget }) =>
    whileBusy(currentTarget, async () => {
      await navigator.clipboard.writeText(codes.join("\n"));
      showStatus(words("Copied. Paste them where you keep them."), "good");
    });
  find("print-codes").onclick = () => window.print();
  find("download-codes").onclick = () => download(fileName("recovery-codes", handle, "txt"), textOf(codes, handle));
  onSubmit(find("confirm-shown"), async (form) => {
    if (!codes.map(meant).includes(meant(form.get("confirmation")))) return showFieldError(find("confirmation"), WRONG);
    await asOwner(() => post("/v1/recovery-codes/confirmation", { code: form.get("confirmation") }));
    return done();
  });
}

// What is kept of them as a file.
function textOf(codes, handle) {
  const about = words("Recovery codes of {handle} at {host}", { handle: `@${handle}`, host: location.host });
  const what = words("Each lets you in once, should you lose every passkey. Whoever asks you for one wants your money.");
  return [about, what, "", ...codes.map((code, at) => `${String(at + 1).padStart(2)}. ${code}`), ""].join("\n");
}

// ---- in the settings

const uncertain = () => words("The codes you have may work no more: make new ones.");

// The answer may be lost after the codes were replaced: then nobody has the new ones, and making them again helps.
function lost(error) {
  if (!isLost(error)) throw error;
  throw new Error(`${error.message} ${uncertain()}`);
}

async function makeNew() {
  const { recovery_codes_left: left } = await get("/v1/passkeys");
  const codes = left === 1 ? words("1 recovery code") : words("{count} recovery codes", { count: left });
  const ends = words("The {codes} that you have stop working at once. The new ones are shown this once.", { codes });
  if (left > 0 && !(await confirmDialog(words("Replace your recovery codes?"), ends, words("Replace them")))) return;
  const made = await asOwner(() => post("/v1/recovery-codes")).catch(lost);
  for (const part of ["kept", "about", "anew"]) if (find(part)) find(part).hidden = true;
  showCodes(made.codes, find("kept").dataset.handle, () => {
    showStatusNext(words("Your recovery codes are kept."));
    location.reload();
  });
  showStatus(words("Keep these codes: they are shown this once, and those before are good no more."), "good");
}

if (find("make-codes")) {
  find("make-codes").addEventListener("click", (event) => whileBusy(event.currentTarget, makeNew));
  find("make-codes").disabled = false;
}

if (find("confirm-kept")) {
  onSubmit(find("confirm-kept"), async (form) => {
    try {
      await asOwner(() => post("/v1/recovery-codes/confirmation", { code: form.get("confirmation") }));
    } catch (error) {
      if (error.code !== "invalid_recovery_code") throw error;
      return showFieldError(find("kept-code"), WRONG);
    }
    showStatusNext(words("Your recovery codes are kept."));
    return location.reload();
  });
}
