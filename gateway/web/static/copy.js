// Buttons that copy a text.

import { during, say } from "./page.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () =>
    during(button, async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      say(button.dataset.done, "good");
    }),
  );
  button.disabled = false;
}
