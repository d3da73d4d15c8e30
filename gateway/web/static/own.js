// What every page of one's own does: have the gateway know the browser's time zone, and sign out.

import { call } from "./api.js";
import { isBusy, showStatusOfLastPage, signInUrl, whileBusy } from "./page.js";

showStatusOfLastPage();
addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // it may be another one by now

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").includes(`zone=${zone}`);
if (!known) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  if (zone !== "UTC" && document.cookie.includes(`zone=${zone}`)) location.reload(); // times were written for another
}

// Somebody else has signed in, in another tab: what is done here would be done in their name.
const me = document.querySelector("nav.ways")?.dataset.me;
if (me) {
  localStorage.setItem("me", me);
  addEventListener("storage", ({ key, newValue }) => key === "me" && newValue !== me && location.reload());
}

// What asks for itself again: where the session has ended one signs in, and comes back; whatever else goes wrong leaves the
// page as it is.
let isLeaving = false;
function signInAgain() {
  if (isBusy()) return; // a passkey that is added after a recovery code ends the session, and begins the next
  if (!isLeaving) location.assign(signInUrl());
  isLeaving = true;
}
document.addEventListener("htmx:before:response", (event) => {
  const { raw, status } = event.detail.ctx.response;
  if (raw.redirected || status === 401) signInAgain();
  if (raw.redirected || status >= 400) event.preventDefault();
});

document.addEventListener("htmx:sse:error", ({ detail }) => detail.status === 401 && signInAgain());

document.getElementById("sign-out")?.addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    await call("DELETE", "/v1/sessions/current");
    location.assign("/");
  }),
);
