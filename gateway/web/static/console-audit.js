// Verify the latest rows of both logs, and say what was found.

import { post } from "./api.js";
import { find, showStatus, whileBusy } from "./page.js";
import { words } from "./words.js";

const button = find("verify");
if (button) {
  button.addEventListener("click", () =>
    whileBusy(button, async () => {
      const { checkpoints, events, audit_events: audited, broken } = await post("/v1/operator/audit-log/verification");
      if (broken.length) showStatus(words("It is not as it was written: {what}. Keep a copy of the database.", { what: broken.join(", ") }), "wrong");
      else showStatus(words("As it was written. Checkpoints: {checkpoints}, events: {events}, audit events: {audited}.", { checkpoints, events, audited }), "good");
    }),
  );
  button.disabled = false;
}
