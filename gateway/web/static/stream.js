// Reopens the page's event stream if its first connection failed. htmx itself reopens only a stream that was open before.

const FIRST_WAIT = 500; // ms
const LONGEST_WAIT = 60_000;

const stream = document.getElementById("stream");
let failures = 0;

stream?.addEventListener("htmx:finally:request", ({ detail }) => {
  if (detail.ctx.response?.status === 200) return;
  const wait = Math.min(FIRST_WAIT * 2 ** failures++, LONGEST_WAIT);
  setTimeout(() => stream.dispatchEvent(new Event("open-again")), wait * (0.7 + 0.6 * Math.random()));
});
