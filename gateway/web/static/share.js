// The button that shares the receipt: the file, where the browser shares files, or else its link.

import { find, whileBusy } from "./page.js";

const button = find("share");
const { url, file, name, title } = button.dataset;
const type = "application/pdf";
const sharesFiles = () => navigator.canShare?.({ files: [new File([], name, { type })] });

async function shared() {
  if (!sharesFiles()) return { title, url };
  const answer = await fetch(file);
  if (!answer.ok) return { title, url };
  return { title, files: [new File([await answer.blob()], name, { type })] };
}

button.hidden = !navigator.share;
button.addEventListener("click", () =>
  whileBusy(button, async () => {
    try {
      await navigator.share(await shared());
    } catch (error) {
      if (error.name !== "AbortError") throw error; // they changed their mind
    }
  }),
);
