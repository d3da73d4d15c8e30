// Mark what is on the page as seen, read out what arrives while it is open, and open the notification that a push message
// or a link names.

import { post } from "./api.js";
import { find } from "./page.js";

const known = new Set();

const every = () => [...document.querySelectorAll("#notices details.notice")];

function markSeen(isFirst) {
  const fresh = every().filter((one) => !known.has(one.id));
  for (const one of fresh) known.add(one.id);
  if (!isFirst && fresh.length > 0) find("news").textContent = fresh.map((one) => one.querySelector(".title").textContent).join(". ");
  const { unread } = find("notices").dataset;
  if (unread) post("/v1/notifications/seen", { up_to: unread }).catch(() => {}); // the next visit says it again
}

function open() {
  const named = document.getElementById(location.hash.slice(1));
  if (!named?.matches("details.notice")) return;
  named.open = true;
  named.querySelector("summary").focus();
}

markSeen(true);
open();
document.addEventListener("htmx:after:swap", () => markSeen(false));
addEventListener("hashchange", open);
