// The browser's side of push messages: whether it takes them, and its subscription.

import { get, post } from "./api.js";
import { bytesOf } from "./passkey.js";
import { words } from "./words.js";

// The only script that a page of ours starts as a worker (Trusted Types).
const WORKER = "/sw.js";
const policy = window.trustedTypes?.createPolicy("service-worker", { createScriptURL: () => WORKER });

const isApple = () => /iPhone|iPad/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);

// Why this browser takes no push messages, in words that say what to do; undefined where nothing is in the way.
export function obstacle() {
  if (!window.isSecureContext) return words("Browsers take push messages over https only. Open this page at its https address.");
  if (isApple() && !window.matchMedia("(display-mode: standalone)").matches && !("PushManager" in window)) {
    return words("On an iPhone or iPad, first add this page to the home screen: tap Share, then Add to Home Screen. Then open it from there and come back here.");
  }
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) {
    return words("This browser takes no push messages. Use another one, or have e-mail sent.");
  }
  if (Notification.permission === "denied") {
    return words("You have blocked notifications of this page. Allow them in the settings of your browser, at the sign beside the address, and come back here.");
  }
  return undefined;
}

// This device's subscription; null where there is none.
export async function subscription() {
  if (obstacle() !== undefined) return null;
  const registered = await navigator.serviceWorker.getRegistration("/");
  return (await registered?.pushManager.getSubscription()) ?? null;
}

// What the gateway shows of a subscription in its list: the push service's host, and a part of a hash.
export async function shownOf(one) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(one.endpoint)));
  const hex = Array.from(digest.slice(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${new URL(one.endpoint).hostname} ${hex}`;
}

const same = (buffer, bytes) => buffer && new Uint8Array(buffer).toString() === bytes.toString();

// Ask for permission, and subscribe. Raises Error, whose words say what stood in the way.
export async function subscribe() {
  const why = obstacle();
  if (why) throw new Error(why);
  const asked = await Notification.requestPermission();
  if (asked === "denied") throw new Error(obstacle());
  if (asked !== "granted") throw new Error(words("Nothing was changed: you have closed the browser's question. Press the button again, and allow it."));
  const key = bytesOf((await get("/v1/notifications/push-key")).public_key);
  const worker = await started();
  const there = await worker.pushManager.getSubscription();
  if (there && !same(there.options.applicationServerKey, key)) await there.unsubscribe(); // for another key of the gateway's
  try {
    return await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  } catch (error) {
    throw new Error(refusal(error));
  }
}

// The worker, started: it stays with the browser, also once the page is closed.
export async function started() {
  try {
    const registration = await navigator.serviceWorker.register(policy ? policy.createScriptURL(WORKER) : WORKER, { scope: "/" });
    await navigator.serviceWorker.ready;
    return registration;
  } catch {
    throw new Error(words("This browser did not start what shows the messages. In a private window it cannot: use an ordinary one. Otherwise reload the page and try again."));
  }
}

// What a browser says when it does not subscribe, in words.
function refusal(error) {
  if (error.name === "NotAllowedError") return obstacle() ?? words("The browser does not allow it. In a private window it cannot: use an ordinary one.");
  if (error.name === "AbortError") return words("The browser could not reach its own push service. Check the connection; some browsers have push messages switched off in their settings.");
  return words("The browser refused: {why}", { why: error.message });
}

// Register the subscription with the gateway. Registered again, only its language and time zone change.
export const register = (subscription, locale) => post("/v1/notifications/push-subscriptions", { ...subscription.toJSON(), ...locale });
