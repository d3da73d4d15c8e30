// Add a webhook, or give one a new secret: either way the secret is shown once.

import { isLost, post } from "./api.js";
import { asOwner } from "./owner.js";
import { blame, confirmed, during, find, onSubmit, say } from "./page.js";
import { words } from "./words.js";

function showSecret(secret, after) {
  find("secret").textContent = secret;
  find("have-secret").href = after;
  find("made").hidden = false;
  say("");
  find("made-title").focus();
}

find("copy-secret").addEventListener("click", ({ currentTarget }) =>
  during(currentTarget, async () => {
    await navigator.clipboard.writeText(find("secret").textContent);
    say(words("Copied."), "good");
  }),
);

// It may be there, and nobody has its secret.
const uncertain = () => words("The webhook may have been added all the same: look at the list, and give it a new secret there.");

if (find("new-webhook")) {
  onSubmit(find("new-webhook"), async (form) => {
    const types = form.getAll("type");
    if (!form.get("url").trim()) return blame(find("url"), words("Write the address of your server: https://…"));
    if (types.length === 0) return blame(find("type-all"), words("Choose what is sent."));
    const asked = { url: form.get("url").trim(), description: form.get("description"), types: types.includes("*") ? ["*"] : types };
    const made = await asOwner(() => post("/v1/webhooks", asked)).catch((error) => {
      if (isLost(error)) throw new Error(`${error.message} ${uncertain()}`);
      if (error.code === "invalid_request" && error.message.includes("URL")) return blame(find("url"), error.message);
      throw error;
    });
    if (!made) return undefined;
    find("new-webhook").hidden = true;
    return showSecret(made.secret, `/settings/webhooks/${made.id}`);
  });
}

if (find("rotate")) {
  find("rotate").addEventListener("click", ({ currentTarget }) =>
    during(currentTarget, async () => {
      const text = words("For a day deliveries are signed with both, so that your server can change over.");
      if (!(await confirmed(words("Make a new secret?"), text, words("Make it")))) return;
      const made = await asOwner(() => post(currentTarget.dataset.path));
      showSecret(made.secret, location.pathname);
    }),
  );
  find("rotate").disabled = false;
}
