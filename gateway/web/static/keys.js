// Create an API key, or one in the place of another: it is shown once. A second press while it is made does nothing, and
// afterwards the form is gone.

import { isLost, post } from "./api.js";
import { asOwner } from "./owner.js";
import { find, onSubmit, showFieldError, showStatus, whileBusy, withAllDecimals } from "./page.js";
import { words } from "./words.js";

const DAY_SECONDS = 86_400;

// The caps that are filled in, as the API takes them.
function capsOf() {
  return [...document.querySelectorAll("[data-asset]")].flatMap((group) => {
    const amount = (name) => withAllDecimals(group.querySelector(`[data-cap=${name}]`).value, group.dataset.decimals) || null;
    const [payment, day] = [amount("payment"), amount("day")];
    return payment || day ? [{ asset: group.dataset.asset, payment, day }] : [];
  });
}

// The key may be there, and nobody has it.
const uncertain = () => words("The key may have been made all the same: look at the list, and revoke it there.");

async function made(form, ask) {
  const { api_key: text } = await asOwner(ask).catch((error) => {
    if (isLost(error)) throw new Error(`${error.message} ${uncertain()}`);
    if (error.type?.endsWith(":networks")) return showFieldError(find("networks"), error.message) ?? {};
    throw error;
  });
  if (!text) return;
  find("key").textContent = text;
  form.hidden = true;
  find("made").hidden = false;
  showStatus("");
  find("made-title").focus();
}

const [created, replaced] = [find("new-key"), find("replace-key")];

if (created) {
  onSubmit(created, async (form) => {
    if (!form.get("name").trim()) return showFieldError(find("name"), words("Give it a name, so that you know it again."));
    const scopes = form.getAll("scope");
    if (scopes.length === 0) return showFieldError(find("scope-read"), words("Choose at least one thing that it may do."));
    const asked = { name: form.get("name"), scopes, caps: capsOf(), networks: form.get("networks").split(/[\s,]+/).filter((one) => one) };
    if (form.get("expires")) asked.expires_in = Number(form.get("expires")) * DAY_SECONDS;
    return made(created, () => post("/v1/keys", asked));
  });
}

if (replaced) {
  onSubmit(replaced, (form) => made(replaced, () => post(`/v1/keys/${replaced.dataset.id}/replacement`, { overlap: Number(form.get("overlap")) })));
}

find("copy-key").addEventListener("click", ({ currentTarget }) =>
  whileBusy(currentTarget, async () => {
    await navigator.clipboard.writeText(find("key").textContent);
    showStatus(words("Copied."), "good");
  }),
);
