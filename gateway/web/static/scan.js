// Scan the code of who is to be paid (/receive), where the browser reads codes (Shape Detection API). A picture of the
// camera goes nowhere: it is looked at here. A code is followed if it is a payment at this gateway, and no other is.

import { find, make, showStatus, whileBusy } from "./page.js";
import { words } from "./words.js";

const FIELDS = ["to", "amount", "asset", "memo"];
const EVERY_MS = 200;

const button = find("scan");

// Where a code leads: the form of a payment with what the code says, or nowhere.
export function paymentOf(text) {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.origin !== location.origin || url.pathname !== "/pay" || url.username || url.password) return undefined;
  const known = FIELDS.filter((name) => url.searchParams.has(name)).map((name) => [name, url.searchParams.get(name)]);
  return known.length > 0 ? `/pay?${new URLSearchParams(known)}` : undefined;
}

// Look through the camera until there is a code, or until it is closed: then nothing.
async function scanned(reader) {
  const camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const video = make("video", { playsinline: "", "aria-label": words("What the camera sees") });
  const close = make("button", { type: "submit", class: "quiet wide" }, words("Cancel"));
  const title = make("h2", { id: "scan-title" }, words("Scan a payment code"));
  const dialog = make("dialog", { "aria-labelledby": "scan-title", class: "scan" }, title, video, make("form", { method: "dialog" }, close));
  document.body.append(dialog);
  dialog.showModal();
  try {
    video.srcObject = camera;
    video.muted = true;
    await video.play();
    while (dialog.open) {
      const [code] = await reader.detect(video);
      if (code) return code.rawValue;
      await new Promise((go) => setTimeout(go, EVERY_MS));
    }
    return undefined;
  } finally {
    for (const track of camera.getTracks()) track.stop();
    dialog.remove();
  }
}

async function scan(reader) {
  const text = await scanned(reader).catch((error) => {
    if (error.name === "NotAllowedError") throw new Error(words("The camera was not allowed. Type the handle instead."));
    if (error.name === "NotFoundError") throw new Error(words("There is no camera. Type the handle instead."));
    throw error;
  });
  if (text === undefined) return;
  const there = paymentOf(text);
  if (there) location.assign(there);
  else showStatus(words("This code is no payment at this gateway."), "wrong");
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  const formats = await BarcodeDetector.getSupportedFormats();
  if (formats.includes("qr_code")) {
    const reader = new BarcodeDetector({ formats: ["qr_code"] });
    button.addEventListener("click", () => whileBusy(button, () => scan(reader)));
    button.hidden = false;
  }
}
