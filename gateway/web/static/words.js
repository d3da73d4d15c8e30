// The reader's language: English as it stands in pages and scripts, or Thai from th.js. It is kept on this device, and
// is the browser's until somebody chooses.

import { TH } from "./th.js";

export const LANGUAGES = { en: "English", th: "ไทย" };

const KEPT = "language";

function chosen() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

const wanted = [chosen(), ...navigator.languages].map((one) => one?.split("-")[0]);
export const language = wanted.find((one) => one in LANGUAGES) ?? "en";

// The same, with what a reader of it expects of numbers and times: the region is the browser's where it says one.
export const locale = navigator.languages.find((one) => one.split("-")[0] === language) ?? language;

export function choose(one) {
  try {
    localStorage.setItem(KEPT, one);
  } catch {
    // then it is chosen until the page is left
  }
}

// A text in the reader's language, with these values in its {placeholders}.
export function words(text, values = {}) {
  const known = language === "th" ? (TH[text] ?? text) : text;
  return known.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Put a page's own texts, those marked `data-say`, into the reader's language.
export function translate() {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-say]")) one.textContent = words(one.textContent.trim().replace(/\s+/g, " "));
  for (const one of document.querySelectorAll("[data-say-label]")) one.setAttribute("aria-label", words(one.getAttribute("aria-label")));
}
