// A link from a notification: says what it stops, and stops it once its reader says so. The token stands behind the #.

import { call } from "./api.js";
import { find, messageOf, showStatus, whileBusy } from "./page.js";
import { words } from "./words.js";

const [token, kind] = location.hash.slice(1).split("/");
const path = `/v1/notifications/unsubscribe/${encodeURIComponent(token)}/${encodeURIComponent(kind ?? "")}`;

function failed(error) {
  find("kind").hidden = true;
  showStatus(error.status === 404 ? words("This link is not valid any more. Sign in to choose what is sent.") : messageOf(error), "wrong");
}

if (token && kind) {
  call("GET", path).then((link) => {
    find("what").textContent = link.description;
    find("kind").hidden = false;
  }, failed);
} else failed({ status: 404 });

find("stop").addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    await call("POST", path).then(() => {
      find("kind").hidden = true;
      showStatus(words("Done. Messages of this kind are not sent here any more."), "good");
    }, failed);
  }),
);
