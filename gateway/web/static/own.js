// What every page of one's own does: have the gateway know the browser's time zone, and sign out.

import { call } from "./api.js";
import { during, sayLast } from "./page.js";

sayLast();
addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // it may be another one by now

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").includes(`zone=${zone}`);
if (!known) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  if (zone !== "UTC" && document.cookie.includes(`zone=${zone}`)) location.reload(); // times were written for another
}

document.getElementById("sign-out")?.addEventListener("click", (event) =>
  during(event.target, async () => {
    await call("DELETE", "/v1/sessions/current");
    location.assign("/");
  }),
);
