// The form of a payment: a pad of digits under the amount on a phone, what there is of the chosen asset, and a face that
// fills in whom. The fields are what is sent: all of this writes into them, and a keyboard does, too.

import { find } from "./page.js";
import { locale } from "./words.js";

const DIGITS = 40;
const [amount, asset, pad] = [find("amount"), find("asset"), find("pad")];
const point = new Intl.NumberFormat(locale).formatToParts(1.5).find((part) => part.type === "decimal").value;

const decimals = () => Number(asset.selectedOptions[0].dataset.decimals);

// The amount after a key: digits beyond the decimals of the asset are not taken.
function after(typed, key) {
  if (key === "back") return typed.slice(0, -1);
  const [whole, part] = typed.replace(",", ".").split(".");
  if (key === ".") return part === undefined && decimals() > 0 ? `${whole || "0"}${point}` : typed;
  if (part !== undefined) return part.length < decimals() ? typed + key : typed;
  return whole === "0" ? key : whole.length < DIGITS ? typed + key : typed;
}

function chosen() {
  if (find("has")) find("has").textContent = asset.selectedOptions[0].dataset.has;
  find("point").disabled = decimals() === 0;
}

pad.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
pad.addEventListener("click", (event) => {
  const key = event.target.closest("button")?.dataset.key;
  if (!key) return;
  amount.value = after(amount.value, key);
  find("typed").textContent = `${amount.value} ${asset.value}`;
});
asset.addEventListener("change", chosen);

for (const face of document.querySelectorAll("[data-payee]")) {
  face.addEventListener("click", (event) => {
    event.preventDefault();
    find("to").value = face.dataset.payee;
    for (const one of document.querySelectorAll("[data-payee]")) one.removeAttribute("aria-current");
    face.setAttribute("aria-current", "true");
    amount.focus();
  });
}

// Show the pad while the amount is filled in, and hide it while letters are typed.
const texts = [find("to"), find("memo")];
for (const one of texts) one.addEventListener("focus", () => { pad.hidden = true; });
amount.addEventListener("focus", () => { pad.hidden = false; });

find("point").textContent = point;
chosen();
pad.hidden = texts.includes(document.activeElement);
if (matchMedia("(pointer: coarse)").matches) amount.setAttribute("inputmode", "none"); // else two pads lie on each other
