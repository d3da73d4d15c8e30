// How people, money and states look, the same on every page.

import { make } from "./page.js";

// A circle with a letter in two hues that follow from the name: the same wherever the name is met.
export function avatar(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  const hue = hash % 360;
  const circle = make("span", { class: "avatar of-person", "aria-hidden": "true" }, (name.replace(/^@|^0x/, "")[0] ?? "?").toUpperCase());
  circle.style.backgroundImage = `linear-gradient(135deg, hsl(${hue} 60% 38%), hsl(${(hue + 50) % 360} 65% 33%))`;
  return circle;
}

// Paths of 24 by 24, drawn with a line.
const DRAWN = {
  bell: "M6 9.5a6 6 0 0 1 12 0c0 5 2 6.5 2 6.5H4s2-1.5 2-6.5M10 19.5a2.2 2.2 0 0 0 4 0",
  sliders: "M4 7h8.5M17 7h3M4 17h3M11.5 17H20M14.8 9.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6M9.2 19.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6",
  back: "M15 5l-7 7 7 7",
  key: "M14.5 9.5a4 4 0 1 0-3.7 4L13 15.7h2V18h2.3v2.2h3.2v-3L15 12.5a4 4 0 0 0-.5-3M9.5 8.5h.01",
  door: "M13 4h6v16h-6M4 12h10M10.5 8l4 4-4 4",
  shield: "M12 3l7.5 3v5.5c0 4.6-3.1 8-7.5 9.5-4.4-1.5-7.5-4.9-7.5-9.5V6z",
  snow: "M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5L12 7l2.5-2.5M9.5 19.5L12 17l2.5 2.5",
  bank: "M4 9.5l8-5 8 5zM6 9.5V17M10 9.5V17M14 9.5V17M18 9.5V17M4 20h16",
  phone: "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3M11 18h2",
  mail: "M4.5 6h15v12h-15zM4.5 6.5l7.5 6 7.5-6",
};

const SVG = "http://www.w3.org/2000/svg";

// One of the drawings, in the colour of the text around it.
export function drawing(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("class", "stroke");
  path.setAttribute("d", DRAWN[name]);
  svg.append(path);
  return svg;
}

// A circle with a drawing: what is of no person.
export const badge = (name, kind = "") => make("span", { class: `avatar ${kind}`, "aria-hidden": "true" }, drawing(name));

// A state, in words and colour: "good", "wait" or "wrong".
export const chip = (text, kind = "") => make("span", { class: `chip ${kind}` }, text);

// A name of somebody: an address is known by its ends.
export const shortened = (name) => (name.startsWith("0x") ? `${name.slice(0, 6)}…${name.slice(-4)}` : name);

// An amount without the zeros at its end beyond two decimals: nothing of it is rounded.
export const plain = (amount) => amount.replace(/(\.\d\d\d*?)0+$/, "$1");
