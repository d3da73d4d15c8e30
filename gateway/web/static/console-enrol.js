// Make an operator's passkey, with the code that was shown at the machine.

import { disablePage, find, messageOf, onSubmit, showStatus } from "./page.js";
import { enrolOperator, obstacle } from "./passkey.js";
import { words } from "./words.js";

obstacle().then((why) => why && disablePage(why), (error) => showStatus(messageOf(error), "wrong"));

onSubmit(find("enrol"), async (form) => {
  showStatus(words("Make a passkey, as your browser asks you to."));
  await enrolOperator(form.get("name").trim(), form.get("code").trim());
  location.assign("/console/sign-in#enrolled");
});
