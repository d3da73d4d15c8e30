// What every page does: find its elements, make new ones out of text, and say what happened where it is read out.

import { locale, words } from "./words.js";

export const find = (id) => document.getElementById(id);

// An element with this text or these children: text is text, never HTML.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function showStatus(text, kind = "info") {
  const status = find("status");
  status.className = `status ${kind}`;
  status.textContent = text;
}

// Show it on the page that this tab opens or loads next.
export const showStatusNext = (text, kind = "good") => sessionStorage.setItem("status", JSON.stringify([text, kind]));

export function showStatusOfLastPage() {
  const status = sessionStorage.getItem("status");
  if (status) showStatus(...JSON.parse(status));
  sessionStorage.removeItem("status");
}

// Go to another page, or reload this one. It never resolves, so that the button stays disabled until then.
export function navigate(href) {
  if (href) location.assign(href);
  else location.reload();
  return new Promise(() => {});
}

// Show what is wrong with a field, below it, until its value changes.
export function showFieldError(field, text) {
  const id = `${field.id}-fault`;
  find(id)?.remove();
  field.after(make("p", { id, class: "fault", role: "alert" }, text));
  field.setAttribute("aria-invalid", "true");
  const described = field.getAttribute("aria-describedby");
  field.setAttribute("aria-describedby", id);
  field.focus();
  const clear = () => {
    find(id)?.remove();
    field.removeAttribute("aria-invalid");
    if (described) field.setAttribute("aria-describedby", described);
    else field.removeAttribute("aria-describedby");
  };
  field.addEventListener("input", clear, { once: true });
}

// A file's name that nothing breaks, whatever a handle consists of.
export const fileName = (what, handle, kind) => `${what}-${handle.replace(/[^A-Za-z0-9_]/g, "").slice(0, 60) || "wallet"}.${kind}`;

// Download a text as a file.
export function download(name, text, type = "text/plain") {
  const href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  make("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}

// Show why the forms of this page cannot be used, with the address at which they can, and disable them.
export function disablePage({ text, href }) {
  const link = href ? [" ", make("a", { href }, href), "."] : [];
  const status = find("status");
  status.className = "status wrong";
  status.replaceChildren(text, ...link);
  for (const control of document.querySelectorAll("main button, main input")) control.disabled = true;
}

// The message for an error: of the API, or of the browser about a passkey.
export function messageOf(error) {
  if (error.name === "NotAllowedError") return words("The passkey was not used: it was cancelled, or its time was over.");
  if (error.name === "InvalidStateError") return words("This device has a passkey of this wallet already.");
  if (error.name === "SecurityError") return words("Passkeys do not work at this address. Open the gateway by its name.");
  if (error.status === 401) return words("You are signed out. Sign in again.");
  return error.message;
}

// Go back to the page that led to the sign-in (`next`), if it is of this origin; else to `home`.
export function returnToNext(home = "/") {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? home, location.origin);
  location.assign(next.origin === location.origin ? next.href : home);
}

// The URL to sign in at, which leads back to this page.
export const signInUrl = () => `${location.pathname.startsWith("/console") ? "/console" : ""}/sign-in?next=${encodeURIComponent(location.pathname + location.search).replaceAll("%2F", "/")}#signed-out`;

let actions = 0;

// Whether an action that a click started is still running.
export const isBusy = () => actions > 0;

// Run an action with its button disabled, and show its error.
export async function whileBusy(button, act) {
  button.disabled = true;
  actions += 1;
  try {
    return await act();
  } catch (error) {
    if (error.status === 401) location.assign(signInUrl());
    showStatus(messageOf(error), "wrong");
    return undefined;
  } finally {
    actions -= 1;
    button.disabled = false;
  }
}

// Ask for a confirmation of what cannot be undone. Resolves to whether it was given.
export function confirmDialog(title, text, yes, no = words("Cancel")) {
  const ok = make("button", { type: "submit", value: "yes", class: "danger" }, yes);
  const cancel = make("button", { type: "submit", value: "no", class: "quiet", autofocus: "" }, no);
  const form = make("form", { method: "dialog", class: "choices" }, ok, cancel);
  const dialog = make("dialog", { "aria-labelledby": "confirm-title" }, make("h2", { id: "confirm-title" }, title), make("p", {}, text), form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

// Run it now, and again after each swap by htmx, for the elements that have come.
export function nowAndAfterSwaps(setUp) {
  setUp();
  document.addEventListener("htmx:after:swap", setUp);
}

// Handle the submission of a form. Its button is disabled in the page until then, so that no click is lost.
export function onSubmit(form, act) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    whileBusy(button, () => act(new FormData(form)));
  });
  button.disabled = false;
}

// An amount with its thousands set apart, by a space that nothing breaks at (ISO 80000-1, 7.3.1): the same everywhere.
export function groupThousands(amount) {
  const [whole, ...part] = amount.split(".");
  return [whole.replace(/\B(?=(?:\d{3})+$)/g, "\u202f"), ...part].join(".");
}

// What somebody has typed as an amount with all decimals of its asset, as the API shows it and a passkey signs it: 12,5 is
// 12.50. What is no amount stays as it is, for the API to say so.
export function withAllDecimals(typed, decimals) {
  const amount = typed.trim().replace(",", ".");
  const [units, part = ""] = amount.split(".");
  return /^\d+(\.\d*)?$/.test(amount) && decimals > 0 ? `${units}.${part.padEnd(decimals, "0")}` : amount;
}

// A time as people here write it: of this year without the year, of today without the date.
export function time(text) {
  const [at, now] = [new Date(text), new Date()];
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(at);
  if (at.toDateString() === now.toDateString()) return words("today, {clock}", { clock });
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return `${new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", ...year }).format(at)}, ${clock}`;
}
