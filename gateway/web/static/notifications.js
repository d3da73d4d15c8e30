// What is on the page was seen; what comes while it is open is read out; a notice that a push message or a link names is
// opened.

import { post } from "./api.js";
import { find } from "./page.js";

const known = new Set();

const every = () => [...document.querySelectorAll("#notices details.notice")];

function look(isFirst) {
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

look(true);
open();
document.addEventListener("htmx:after:swap", () => look(false));
addEventListener("hashchange", open);
