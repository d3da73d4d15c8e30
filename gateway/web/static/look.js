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

const SVG = "http://www.w3.org/2000/svg";

// One of the drawings of icons.svg, in the colour of the text around it.
export function drawing(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "stroke");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
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
