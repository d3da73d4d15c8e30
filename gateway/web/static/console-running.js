// Buttons of the console that put one thing right: each names the call that it makes, and the page is read again after it.

import { call } from "./api.js";
import { showStatusNext, whileBusy } from "./page.js";
import { words } from "./words.js";

const DONE = {
  resumed: words("The relayer goes on."),
  retried: words("It is tried again now."),
};

for (const button of document.querySelectorAll("[data-call]")) {
  button.addEventListener("click", () =>
    whileBusy(button, async () => {
      await call("POST", button.dataset.call, "body" in button.dataset ? {} : undefined);
      showStatusNext(DONE[button.dataset.done]);
      location.reload();
    }),
  );
  button.disabled = false;
}
