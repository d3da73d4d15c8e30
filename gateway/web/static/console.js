// What every page of the console does: have the gateway know the browser's time zone, and sign out.

import "./own.js";
import { call } from "./api.js";
import { find, whileBusy } from "./page.js";

find("leave").addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    await call("DELETE", "/v1/operator/session");
    location.assign("/console/sign-in");
  }),
);
