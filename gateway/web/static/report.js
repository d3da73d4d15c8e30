// A link from a notification: shows its payment, and reports it as unauthorized once its reader says so. The token stands
// behind the #, which browsers send to nobody.

import { call } from "./api.js";
import { plain, shortened } from "./look.js";
import { during, find, grouped, say, time, wordsOf } from "./page.js";
import { words } from "./words.js";

const path = `/v1/report-links/${encodeURIComponent(location.hash.slice(1))}`;

function failed(error) {
  find("payment").hidden = true;
  say(error.status === 404 ? words("This link is not valid any more. Sign in to see your payments.") : wordsOf(error), "wrong");
}

if (location.hash.length > 1) {
  call("GET", path).then((payment) => {
    find("what").textContent = words("{amount} to {payee}", { amount: `${grouped(plain(payment.amount))} ${payment.asset}`, payee: shortened(payment.to) });
    find("when").textContent = time(payment.created_at);
    find("payment").hidden = false;
  }, failed);
} else failed({ status: 404 });

find("report").addEventListener("click", (event) =>
  during(event.target, async () => {
    await call("POST", path).then(() => {
      find("payment").hidden = true;
      say(words("Your wallet is frozen: nothing leaves it. Sign in to look after it."), "good");
    }, failed);
  }),
);
