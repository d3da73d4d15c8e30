// Add a webhook, change one, or give one a new secret, which is shown once; and have it sent again what has happened.

import { call, isLost, post } from "./api.js";
import { asOwner } from "./owner.js";
import { confirmDialog, find, navigate, onSubmit, showFieldError, showStatus, showStatusNext, whileBusy } from "./page.js";
import { words } from "./words.js";

function showSecret(secret, after) {
  find("secret").textContent = secret;
  find("have-secret").href = after;
  find("made").hidden = false;
  showStatus("");
  find("made-title").focus();
}

find("copy-secret").addEventListener("click", ({ currentTarget }) =>
  whileBusy(currentTarget, async () => {
    await navigator.clipboard.writeText(find("secret").textContent);
    showStatus(words("Copied."), "good");
  }),
);

// It may be there, and nobody has its secret.
const uncertain = () => words("The webhook may have been added all the same: look at the list, and give it a new secret there.");

// What was wrong with its address is said there. A passkey that was cancelled has no type.
function atAddress(error) {
  if (error.type?.endsWith(":url")) return showFieldError(find("url"), error.message);
  throw error;
}

async function add(asked) {
  const made = await asOwner(() => post("/v1/webhooks", asked)).catch((error) => {
    if (isLost(error)) throw new Error(`${error.message} ${uncertain()}`);
    return atAddress(error);
  });
  if (!made) return undefined;
  find("new-webhook").hidden = true;
  return showSecret(made.secret, `/settings/webhooks/${made.id}`);
}

const before = find("new-webhook") && settings(new FormData(find("new-webhook")));

// Only what was changed here is changed: the rest is as it is by now, whoever has changed it meanwhile.
async function change({ id, done }, asked) {
  const changes = Object.fromEntries(Object.entries(asked).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
  const changed = await asOwner(() => call("PATCH", `/v1/webhooks/${id}`, changes)).catch(atAddress);
  if (!changed) return undefined;
  showStatusNext(done);
  return navigate(`/settings/webhooks/${id}`);
}

function settings(form) {
  const types = form.getAll("type");
  return { url: form.get("url").trim(), description: form.get("description"), types: types.includes("*") ? ["*"] : types };
}

if (find("new-webhook")) {
  onSubmit(find("new-webhook"), async (form) => {
    const asked = settings(form);
    if (!asked.url) return showFieldError(find("url"), words("Write the address of your server: https://…"));
    if (asked.types.length === 0) return showFieldError(find("type-all"), words("Choose what is sent."));
    return find("new-webhook").dataset.id ? change(find("new-webhook").dataset, asked) : add(asked);
  });
}

if (find("resend")) {
  onSubmit(find("resend"), async (form) => {
    await post(find("resend").dataset.path, { since: new Date(form.get("since")).toISOString() });
    showStatusNext(words("It is sent again."));
    return navigate();
  });
}

if (find("rotate")) {
  find("rotate").addEventListener("click", ({ currentTarget }) =>
    whileBusy(currentTarget, async () => {
      const text = words("For a day deliveries are signed with both, so that your server can change over.");
      if (!(await confirmDialog(words("Make a new secret?"), text, words("Make it")))) return;
      const made = await asOwner(() => post(currentTarget.dataset.path));
      showSecret(made.secret, location.pathname);
    }),
  );
  find("rotate").disabled = false;
}
