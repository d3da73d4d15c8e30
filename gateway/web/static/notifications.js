// What the wallet's owner is told of, newest first: as it comes, by the event stream. The amount is read first, then who
// and what; a notice opens to the payment that it tells of.

import { all, get, post } from "./api.js";
import { follow } from "./live.js";
import { avatar, badge, chip, plain, shortened } from "./look.js";
import { confirmed, during, find, make, say, wordsOf } from "./page.js";
import { language, locale, words } from "./words.js";

const PAGE = 30;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const DRAWINGS = { bank_movement: "bank", new_sign_in: "door", new_key: "key", freeze: "snow", protection: "shield" };

// What a payment was at that moment: words and their colour.
const STATES = {
  "payment.requires_confirmation": [words("needs your approval"), "wait"],
  "payment.held": [words("set aside"), "wait"],
  "payment.queued": [words("on its way"), "wait"],
  "payment.settled": [words("settled"), "good"],
  "payment.failed": [words("failed"), "wrong"],
};

const NOW = {
  requires_confirmation: words("waits for your approval"),
  held: words("set aside"),
  queued: words("on its way"),
  submitted: words("on its way"),
  settled: words("settled"),
  failed: words("failed"),
  voided: words("taken back"),
  expired: words("expired"),
  refused: words("declined"),
};

const CHANNELS = { email: words("e-mail"), push: words("push message") };
const DELIVERIES = {
  pending: words("on its way"),
  sent: words("sent"),
  failed: words("could not be sent"),
  skipped: words("not sent"),
};

let me = "";
let shown = []; // the notices on the page, newest first
let cursor; // of those that are older
let waiting = new Set(); // the payments that still need an approval

const url = (from) =>
  `/v1/notifications?locale=${language}&time_zone=${encodeURIComponent(zone)}&limit=${PAGE}${from ? `&cursor=${encodeURIComponent(from)}` : ""}`;

async function start() {
  const wallet = await get("/v1/wallet");
  me = `@${wallet.handle}`;
  await showNewest();
  find("main").setAttribute("aria-busy", "false");
  open(location.hash.slice(1));
  follow(() => showNewest().catch((error) => say(wordsOf(error), "wrong")));
}

// The newest page, before what is there already. What is open stays open, and what was new in this visit is marked.
async function showNewest() {
  const [page, undecided] = await Promise.all([get(url()), all("/v1/payments/waiting")]);
  waiting = new Set(undecided.filter((one) => one.approval).map((one) => one.id));
  const known = new Map(shown.map((one) => [one.id, one]));
  const fresh = page.items.filter((one) => !known.has(one.id));
  const older = shown.filter((one) => !page.items.some((other) => other.id === one.id));
  const isFirst = shown.length === 0;
  shown = [...page.items.map((one) => (known.has(one.id) ? { ...one, seen: known.get(one.id).seen } : one)), ...older];
  if (isFirst) cursor = page.next_cursor;
  draw();
  if (!isFirst && fresh.length > 0) find("news").textContent = fresh.map((one) => one.title).join(". ");
  if (fresh.length > 0) await post("/v1/notifications/seen", { up_to: page.items[0].id });
}

find("older").addEventListener("click", (event) =>
  during(event.target, async () => {
    const page = await get(url(cursor));
    shown.push(...page.items);
    cursor = page.next_cursor;
    draw();
  }),
);

const dayOf = (one) => new Date(one.created_at).toDateString();

function draw() {
  const opened = new Set([...document.querySelectorAll("details[open]")].map((one) => one.id));
  const held = document.activeElement?.closest("details")?.id;
  const there = new Map([...document.querySelectorAll("details.notice")].map((one) => [one.id, one]));
  const days = [];
  for (const one of shown) {
    if (days.at(-1)?.day !== dayOf(one)) days.push({ day: dayOf(one), items: [] });
    days.at(-1).items.push(kept(one, there.get(one.id)) ?? notice(one, opened.has(one.id)));
  }
  find("notices").replaceChildren(...days.flatMap(({ day, items }) => [make("h2", { class: "day" }, dayName(day)), make("div", { class: "card" }, ...items)]));
  if (shown.length === 0) find("notices").replaceChildren(make("p", { class: "card hint" }, words("Nothing yet. What happens to your wallet stands here, the moment it happens.")));
  find("older").hidden = !cursor;
  if (held) document.getElementById(held)?.querySelector("summary").focus();
}

// What is on the page already, unless its state may be another one by now.
const kept = (one, there) => (one.kind === "needs_approval" && !there?.open ? undefined : there);

function dayName(day) {
  const days = Math.round((new Date(new Date().toDateString()) - new Date(day)) / 86_400_000);
  if (days < 2) return days < 1 ? words("Today") : words("Yesterday");
  const year = new Date(day).getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", ...year }).format(new Date(day));
}

const clock = (text) => new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(new Date(text));

function notice(one, isOpen) {
  const out = one.money?.from === me;
  const other = out ? one.money?.to : one.money?.from;
  const circle = other ? avatar(other) : badge(DRAWINGS[one.kind] ?? "bell", one.security ? "guards" : "");
  const mark = make("span", { class: one.seen ? "" : "unseen" }, circle);
  if (!one.seen) mark.append(make("span", { class: "only-read" }, words("new")));
  const isDecided = one.kind === "needs_approval" && !waiting.has(one.payment);
  const [state, kind] = isDecided ? [words("decided"), ""] : (STATES[one.type] ?? []);
  const note = make("span", { class: "note" }, ...(state && kind !== "good" ? [chip(state, kind)] : []), make("span", { class: "clock" }, clock(one.created_at)));
  const title = make("span", {}, make("span", { class: "title" }, one.title), make("br"), note);
  const amount = make("span", { class: `amount ${one.money && !out && kind !== "wrong" ? "in" : ""}` }, ...(one.money ? sum(one, out) : []));
  const more = make("div", { class: "more" });
  const details = make("details", { class: "notice", id: one.id }, make("summary", {}, mark, title, amount), more);
  details.addEventListener("toggle", () => details.open && more.childElementCount === 0 && tell(one, out, more));
  details.open = isOpen;
  return details;
}

// With its sign: what left, what came in; none where nothing has moved (it failed, or waits).
function sum({ money, type }, out) {
  const sign = type === "payment.failed" || type === "payment.requires_confirmation" ? "" : out ? "−" : "+";
  return [`${sign}${readable(money.amount)} `, make("small", {}, money.asset)];
}

// All decimals that say anything, at least two where there are any, with the thousands apart as the reader has them.
function readable(amount) {
  const [whole, rest] = plain(amount).split(".");
  const digits = new Intl.NumberFormat(locale, { numberingSystem: "latn" });
  const point = digits.formatToParts(1.5).find((part) => part.type === "decimal").value;
  return digits.format(BigInt(whole)) + (rest === undefined ? "" : point + rest);
}

async function tell(one, out, more) {
  more.append(make("p", {}, one.text));
  const facts = make("dl", { class: "facts" });
  const line = (name, ...of) => facts.append(make("dt", {}, name), make("dd", {}, ...of));
  more.append(facts);
  const when = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" }).format(new Date(one.created_at));
  if (one.payment) {
    const payment = await get(`/v1/payments/${one.payment}`).catch(() => undefined);
    if (payment) {
      line(words("Now"), NOW[payment.state] ?? payment.state);
      line(out ? words("To") : words("From"), make("span", { title: out ? payment.to : payment.from }, shortened(out ? payment.to : payment.from)));
      if (payment.memo) line(words("Memo"), make("bdi", {}, payment.memo));
      if (/[1-9]/.test(payment.fee) && out) line(words("Fee"), `${readable(payment.fee)} ${payment.asset}`);
    }
    line(words("Payment"), make("code", { class: "secret" }, one.payment));
  }
  line(words("When"), when);
  for (const each of one.deliveries) {
    const said = DELIVERIES[each.state] ?? each.state;
    const why = words("since it could not be sent by {channel}", { channel: CHANNELS[each.falls_back_from] ?? each.falls_back_from });
    const instead = each.falls_back_from ? ` (${why})` : "";
    line(words("By {channel}", { channel: CHANNELS[each.channel] ?? each.channel }), said + instead);
  }
  const choices = make("div", { class: "choices" });
  if (waiting.has(one.payment) && one.kind === "needs_approval") choices.append(make("a", { class: "button", href: "/" }, words("Look and decide")));
  if (one.kind === "money_out" && one.payment) choices.append(notMe(one));
  if (one.security) choices.append(make("a", { class: "button quiet", href: "/" }, words("Open your wallet")));
  if (choices.childElementCount > 0) more.append(choices);
}

function notMe(one) {
  const button = make("button", { type: "button", class: "quiet danger" }, words("This wasn't me"));
  button.addEventListener("click", () =>
    during(button, async () => {
      const ends = words("Your wallet is frozen: nothing leaves it, and this payment ends if it still can. After a day you can unfreeze it with your passkey.");
      if (!(await confirmed(words("Freeze your wallet?"), ends, words("Freeze it"), words("Cancel")))) return;
      await post(`/v1/payments/${one.payment}/report-unauthorized`);
      say(words("Your wallet is frozen. Nothing leaves it."), "good");
      await showNewest();
    }),
  );
  return button;
}

// Open the notice that a push message or a link names.
function open(id) {
  const named = id.startsWith("evt_") && document.getElementById(id);
  if (!named) return;
  named.open = true;
  named.querySelector("summary").focus();
}
window.addEventListener("hashchange", () => open(location.hash.slice(1)));

start().catch((error) => (error.status === 401 ? location.replace("/sign-in") : say(wordsOf(error), "wrong")));
