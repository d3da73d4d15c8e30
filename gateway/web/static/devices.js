// Add a passkey: after a recovery code, it is what its owner signs in with from then on.

import { asOwner } from "./owner.js";
import { find, navigate, onSubmit, showStatusNext } from "./page.js";
import { add, signIn } from "./passkey.js";
import { words } from "./words.js";

const recovers = find("add-passkey").dataset.recovers === "yes";

onSubmit(find("add-passkey"), async (form) => {
  const made = () => add(form.get("device"));
  await (recovers ? made() : asOwner(made)); // the session of a recovery code adds one passkey, and ends
  if (recovers) await signIn();
  showStatusNext(words("It signs for your wallet from now on."));
  return navigate();
});
