// Hear of it when something happens to the wallet: the event stream (server-sent events), followed over its ends.

const AGAIN_MS = 2_000;
const SOON_MS = 200; // what comes together is told of once

// Call `tell` soon after each event. Stops when the session has ended.
export async function follow(tell) {
  let last;
  let waiting;
  const news = () => {
    clearTimeout(waiting);
    waiting = setTimeout(tell, SOON_MS);
  };
  for (;;) {
    const answer = await fetch("/v1/events/stream", {
      headers: last ? { "Last-Event-ID": last } : {},
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
    }).catch(() => undefined);
    if (answer?.status === 401) return;
    if (answer?.ok) {
      last = await read(answer.body, last, news);
      news(); // what happened until the next one is open
    }
    await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
}

// Read a stream to its end; the id of its last event.
async function read(body, last, news) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return last;
    const lines = (kept + value).split("\n");
    kept = lines.pop();
    for (const line of lines) {
      if (line.startsWith("id:")) last = line.slice(3).trim();
      if (line.startsWith("data:")) news();
    }
  }
}
