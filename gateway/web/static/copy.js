// Buttons that copy a text.

import { showStatus, whileBusy } from "./page.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () =>
    whileBusy(button, async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      showStatus(button.dataset.done, "good");
    }),
  );
  button.disabled = button.hidden = false;
}
