// The service worker: shows push messages, also while no page is open. It answers no request and keeps nothing: what
// pages show comes from the gateway each time.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(event.data)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url));
});

// A message of the gateway's; something is shown for any push, as browsers want it.
function read(data) {
  try {
    const { title, body, url, tag, lang } = data.json();
    if (typeof title === "string" && title) return { title, body: body ?? "", url: url ?? "/notifications", tag: tag ?? "", lang: lang ?? "en" };
  } catch {
    // not ours, or from before this version
  }
  return { title: "Wallet gateway", body: "Something happened to your wallet.", url: "/notifications", tag: "unread", lang: "en" };
}

// One for a tag: a message that comes twice is shown once.
function show(data) {
  const { title, body, url, tag, lang } = read(data);
  return self.registration.showNotification(title, {
    body,
    tag,
    lang,
    icon: "/static/icon-192.png",
    badge: "/static/badge-96.png",
    data: { url },
  });
}

// In a page of ours that is open already, if there is one. Only our own pages are opened.
async function open(url) {
  const there = new URL(url ?? "/", self.location.origin);
  const target = there.origin === self.location.origin ? there.href : self.location.origin;
  for (const client of await self.clients.matchAll({ type: "window" })) {
    const moved = await client.navigate(target).catch(() => null);
    if (moved) return moved.focus();
  }
  return self.clients.openWindow(target);
}
