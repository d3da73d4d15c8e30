// Where notices go, and which: push messages to this device, e-mail, a switch for each kind and channel, and how the
// owner reads. What only an owner may asks for the passkey once more, when it was used some minutes ago.

import { call, get, post, put } from "./api.js";
import { asOwner } from "./owner.js";
import { badge, chip } from "./look.js";
import { during, find, make, onSubmit, say, wordsOf } from "./page.js";
import { handIn, obstacle, shownOf, subscribe, subscription } from "./push.js";
import { LANGUAGES, choose, language, words } from "./words.js";

const KINDS = {
  money_in: [words("Money in"), words("Somebody has paid you.")],
  money_out: [words("Money out"), words("Money leaves your wallet, or came back.")],
  needs_approval: [words("Needs your approval"), words("A payment waits for you.")],
  request: [words("Requests"), words("Somebody asks you for money, or declined your request.")],
  bank_movement: [words("Bank"), words("You deposited or withdrew.")],
  new_sign_in: [words("Sign-ins"), words("Somebody signed in to your wallet.")],
  new_key: [words("Passkeys and keys"), words("One was added, ended or shown.")],
  freeze: [words("Freezes"), words("Your wallet was stopped, or can pay again.")],
  protection: [words("Protection"), words("Your limits or these settings changed.")],
};

const CHANNELS = { push: words("Push"), email: words("E-mail") };

// Browsers by the push service that they use.
const SERVICES = [
  [/googleapis\.com$/, words("Chrome, or a browser like it")],
  [/mozilla\.com$/, "Firefox"],
  [/apple\.com$/, "Safari"],
  [/windows\.com$/, "Edge"],
];

let channels = [];
let here; // the id of this device's address, if it has one
let waiting; // the id of the address that a code was sent to

const zoneHere = Intl.DateTimeFormat().resolvedOptions().timeZone;
let reader = { locale: language, time_zone: zoneHere };

async function show() {
  const [{ items, channels: there }, { kinds }] = await Promise.all([
    get("/v1/notifications/addresses"),
    get("/v1/notifications/preferences"),
  ]);
  channels = there;
  if (items.length > 0) reader = { locale: language, time_zone: items[0].time_zone };
  await showPush(items.filter((one) => one.channel === "push"));
  showEmail(items.filter((one) => one.channel === "email"));
  showKinds(kinds);
  showReader();
  find("main").setAttribute("aria-busy", "false");
}

// ---- this device

async function showPush(addresses) {
  find("push-card").hidden = !channels.includes("push");
  if (find("push-card").hidden) return;
  const own = await subscription().catch(() => null);
  const name = own && (await shownOf(own));
  const known = addresses.find((one) => one.address === name);
  const isOn = known?.state === "proved";
  here = known?.id;
  const why = obstacle();
  find("push-here").textContent = isOn ? words("This device shows them.") : (why ?? words("This device can show what happens to your wallet, also while this page is closed. What a message says is encrypted for this device alone."));
  find("push-on").hidden = isOn || why !== undefined;
  find("push-off").hidden = !isOn;
  find("push-addresses").replaceChildren(...addresses.map(address));
}

find("push-on").addEventListener("click", (event) =>
  during(event.target, async () => {
    const one = await subscribe();
    await asOwner(() => handIn(one, reader));
    await show();
    say(words("This device shows what happens to your wallet from now on."), "good");
  }),
);

find("push-off").addEventListener("click", (event) =>
  during(event.target, async () => {
    await asOwner(() => call("DELETE", `/v1/notifications/addresses/${here}`));
    await (await subscription())?.unsubscribe();
    await show();
    say(words("This device shows nothing any more."), "good");
  }),
);

// ---- e-mail

function showEmail(addresses) {
  find("email-card").hidden = !channels.includes("email");
  find("email-addresses").replaceChildren(...addresses.map(address));
  const last = addresses.find((one) => one.state === "waits");
  waiting = last?.id;
  find("confirm-email").hidden = waiting === undefined;
  if (last) find("code-label").textContent = words("The code that was sent to {address}", { address: last.address });
}

onSubmit(find("add-email"), async (form) => {
  const added = await asOwner(() => post("/v1/notifications/addresses", { channel: "email", address: form.get("email").trim(), ...reader }));
  find("add-email").reset();
  await show();
  if (added.state === "proved") return say(words("This address is there already."), "good");
  say(words("A code is on its way. It is good for 15 minutes."));
  return find("code").focus();
});

onSubmit(find("confirm-email"), async (form) => {
  await post(`/v1/notifications/addresses/${waiting}/confirmation`, { code: form.get("code").replaceAll(" ", "") });
  find("confirm-email").reset();
  await show();
  say(words("Confirmed. What happens from now on is sent there."), "good");
});

// ---- both

function address(one) {
  const states = {
    waits: chip(words("waits for its code"), "wait"),
    failed: chip(words("takes nothing any more"), "wrong"),
    proved: chip(words("in use"), "good"),
  };
  const name = nameOf(one);
  const mine = one.id === here ? [" · ", words("this device")] : [];
  const text = make("span", { class: "who" }, make("span", { class: "secret" }, name), ...mine, make("small", {}, states[one.state]));
  const remove = make("button", { type: "button", class: "quiet", "aria-label": words("Remove {name}", { name }) }, words("Remove"));
  remove.addEventListener("click", () =>
    during(remove, async () => {
      await asOwner(() => call("DELETE", `/v1/notifications/addresses/${one.id}`));
      if (one.id === here) await (await subscription())?.unsubscribe();
      await show();
      say(words("Removed: {name}.", { name }), "good");
    }),
  );
  return make("li", { class: "line" }, badge(one.channel === "push" ? "phone" : "mail"), text, remove);
}

const nameOf = (one) => (one.channel === "push" ? (SERVICES.find(([host]) => host.test(one.address.split(" ")[0]))?.[1] ?? one.address) : one.address);

// ---- what is sent

function showKinds(kinds) {
  const columns = Object.keys(CHANNELS).filter((one) => channels.includes(one));
  find("kinds-card").hidden = columns.length === 0;
  find("channels").replaceChildren(
    make("th", { scope: "col" }, make("span", { class: "only-read" }, words("Kind"))),
    ...columns.map((one) => make("th", { scope: "col", class: "choice" }, CHANNELS[one])),
  );
  const focused = find("kinds-card").contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  const rows = (group) => group.map((one) => row(one, columns, kinds));
  const name = (...text) => make("tr", { class: "group" }, make("th", { scope: "rowgroup", colspan: String(columns.length + 1) }, ...text));
  find("kinds").replaceChildren(name(words("Money")), ...rows(kinds.filter((one) => !one.security)));
  const always = make("small", {}, words("Always on somewhere: the last way by which these reach you cannot be switched off."));
  find("guards").replaceChildren(name(words("Your wallet's safety"), always), ...rows(kinds.filter((one) => one.security)));
  if (focused) focusOn(focused);
}

const focusOn = (label) => document.querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus();

function row(kind, columns, kinds) {
  const [name, about] = KINDS[kind.kind] ?? [kind.kind, kind.says];
  const head = make("th", { scope: "row" }, name, make("small", {}, about));
  return make("tr", {}, head, ...columns.map((channel) => cell(kind, channel, name, kinds)));
}

function cell(kind, channel, name, kinds) {
  const mode = kind.modes[channel];
  const label = words("{kind}, by {channel}", { kind: name, channel: CHANNELS[channel] });
  const flip = make("input", { type: "checkbox", role: "switch", class: "switch", "aria-label": label });
  flip.checked = mode === "on";
  flip.addEventListener("change", () =>
    during(flip, async () => {
      const wanted = flip.checked ? "on" : "off";
      flip.checked = !flip.checked; // until the gateway has it
      const modes = kinds.flatMap((one) => Object.entries(one.modes).map(([by, is]) => ({ kind: one.kind, channel: by, mode: one === kind && by === channel ? wanted : is })));
      const changed = await asOwner(() => put("/v1/notifications/preferences", { modes }));
      showKinds(changed.kinds);
      say(flip.checked ? words("{what}: switched off.", { what: label }) : words("{what}: switched on.", { what: label }), "good");
      focusOn(label);
    }),
  );
  const instead = mode === "fallback" ? [make("small", {}, words("if others fail"))] : [];
  return make("td", { class: "choice" }, flip, ...instead);
}

// ---- how its owner reads

function showReader() {
  find("language").replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => make("option", { value: code, lang: code }, name)));
  find("language").value = language;
  const zones = [...new Set(["UTC", zoneHere, reader.time_zone, ...Intl.supportedValuesOf("timeZone")])].sort();
  find("zone").replaceChildren(...zones.map((one) => make("option", { value: one }, one.replaceAll("_", " "))));
  find("zone").value = reader.time_zone;
}

onSubmit(find("reader"), async (form) => {
  const wanted = Object.fromEntries(form);
  await asOwner(() => put("/v1/notifications/reader", wanted));
  choose(wanted.locale);
  if (wanted.locale !== language) return location.reload();
  reader = wanted;
  return say(words("Saved: notices are written so from now on."), "good");
});

show().catch((error) => (error.status === 401 ? location.replace("/sign-in") : say(wordsOf(error), "wrong")));
