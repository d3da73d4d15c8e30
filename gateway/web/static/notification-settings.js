// Change which notifications are sent, and where: push messages to this device, e-mail, a switch for each kind and channel,
// their language and time zone. What only an owner may change asks for the passkey again if it was not used lately.

import { call, post, put } from "./api.js";
import { asOwner } from "./owner.js";
import { find, navigate, nowAndAfterSwaps, onSubmit, showStatus, showStatusNext, whileBusy } from "./page.js";
import { obstacle, register, shownOf, subscribe, subscription } from "./push.js";
import { choose, language, words } from "./words.js";

const localeHere = () => ({ locale: language, time_zone: find("zone").value });

// ---- this device

const rowOf = (shown) => [...document.querySelectorAll("[data-shown]")].find((one) => one.dataset.shown === shown);

async function showDevice() {
  const own = await subscription().catch(() => null);
  const row = own && rowOf(await shownOf(own));
  const isOn = Boolean(row?.querySelector(".chip.good"));
  const why = obstacle();
  for (const one of document.querySelectorAll("#push-addresses li")) one.querySelector(".here").hidden = one !== row;
  if (isOn) find("push-here").textContent = words("This device shows them.");
  else if (why) find("push-here").textContent = why;
  find("push-on").hidden = isOn || why !== undefined;
  find("push-off").hidden = !isOn;
  find("push-off").dataset.id = row?.querySelector("[data-remove]").dataset.remove;
}

async function remove(id, isHere) {
  await asOwner(() => call("DELETE", `/v1/notifications/addresses/${id}`));
  if (isHere) await (await subscription())?.unsubscribe();
}

if (find("push-on")) {
  find("push-on").addEventListener("click", ({ currentTarget }) =>
    whileBusy(currentTarget, async () => {
      const one = await subscribe();
      await asOwner(() => register(one, localeHere()));
      showStatusNext(words("This device shows what happens to your wallet from now on."));
      return navigate();
    }),
  );
  find("push-off").addEventListener("click", ({ currentTarget }) =>
    whileBusy(currentTarget, async () => {
      await remove(currentTarget.dataset.id, true);
      showStatusNext(words("This device shows nothing any more."));
      return navigate();
    }),
  );
  find("push-on").disabled = find("push-off").disabled = false;
}

// ---- addresses

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-remove]");
  if (!button) return;
  whileBusy(button, async () => {
    await remove(button.dataset.remove, !button.closest("li").querySelector(".here").hidden);
    showStatusNext(button.dataset.done);
    return navigate();
  });
});

if (find("add-email")) {
  onSubmit(find("add-email"), async (form) => {
    const address = form.get("email").trim();
    const added = await asOwner(() => post("/v1/notifications/addresses", { channel: "email", address, ...localeHere() }));
    showStatusNext(added.state === "confirmed" ? words("This address is there already.") : words("A code is on its way. It is good for 15 minutes."));
    return navigate();
  });
}

if (find("confirm-email")) {
  onSubmit(find("confirm-email"), async (form) => {
    await post(`/v1/notifications/addresses/${find("confirm-email").dataset.id}/confirmation`, { code: form.get("code").replaceAll(" ", "") });
    showStatusNext(words("Confirmed. What happens from now on is sent there."));
    return navigate();
  });
  find("code").focus();
}

// ---- what is sent: one switch changes one mode, whatever others are changed meanwhile

document.addEventListener("change", ({ target }) => {
  if (!target.matches("input[data-kind]")) return;
  const { kind, channel } = target.dataset;
  const isOn = target.checked;
  target.checked = !isOn; // until the gateway has it
  whileBusy(target, async () => {
    await asOwner(() => call("PATCH", "/v1/notifications/preferences", { modes: [{ kind, channel, mode: isOn ? "on" : "off" }] }));
    target.checked = target.defaultChecked = isOn;
    target.parentElement.querySelector("small")?.remove();
    const what = target.ariaLabel;
    showStatus(isOn ? words("{what}: switched on.", { what }) : words("{what}: switched off.", { what }), "good");
  }).then(() => target.focus());
});

// ---- how its owner reads

onSubmit(find("locale"), async (form) => {
  const wanted = Object.fromEntries(form);
  await asOwner(() => put("/v1/notifications/locale", wanted));
  choose(wanted.locale);
  showStatusNext(words("Saved: notifications use this language and time zone from now on."));
  return navigate();
});

// What comes anew with an event works as what was there, and a switch is where the gateway has it.
function setUp() {
  for (const one of document.querySelectorAll("[data-remove], input[data-kind]")) one.disabled = false;
  for (const one of document.querySelectorAll("input[data-kind]")) one.checked = one.defaultChecked;
  if (find("push-on")) showDevice();
}
nowAndAfterSwaps(setUp);
