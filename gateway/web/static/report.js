// A link from a notification: shows its payment, and reports it as unauthorized once its reader says so. The token stands
// behind the #, which browsers send to nobody.

import { call } from "./api.js";
import { shortened, trimZeros } from "./format.js";
import { find, groupThousands, messageOf, showStatus, time, whileBusy } from "./page.js";
import { words } from "./words.js";

const path = `/v1/report-links/${encodeURIComponent(location.hash.slice(1))}`;

function failed(error) {
  find("payment").hidden = true;
  showStatus(error.status === 404 ? words("This link is not valid any more. Sign in to see your payments.") : messageOf(error), "wrong");
}

if (location.hash.length > 1) {
  call("GET", path).then((payment) => {
    find("what").textContent = words("{amount} to {payee}", { amount: `${groupThousands(trimZeros(payment.amount))} ${payment.asset}`, payee: shortened(payment.to) });
    find("when").textContent = time(payment.created_at);
    find("payment").hidden = false;
  }, failed);
} else failed({ status: 404 });

find("report").addEventListener("click", (event) =>
  whileBusy(event.target, async () => {
    await call("POST", path).then(() => {
      find("payment").hidden = true;
      showStatus(words("Your wallet is frozen: nothing leaves it. Sign in to look after it."), "good");
    }, failed);
  }),
);
