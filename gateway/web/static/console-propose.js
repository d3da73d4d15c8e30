// Propose: what stands in the form, for another operator to approve. What is wrong is said at its field.

import { post } from "./api.js";
import { find, make, onSubmit } from "./page.js";
import { words } from "./words.js";

const form = find("propose");

// The request that the form is, by its fields.
function asked(filled) {
  const of = (name) => (filled.get(name) ?? "").trim();
  const amount = (name) => of(name).replace(",", ".");
  const body = { kind: form.dataset.kind, reason: of("reason") };
  if (filled.has("handle")) body.handle = of("handle");
  if (filled.has("day")) body.limit = { asset: of("asset"), payment: amount("payment"), day: amount("day") };
  if (filled.has("debit")) {
    body.correction = { debit: of("debit"), credit: of("credit"), amount: amount("amount"), asset: of("asset") };
  }
  return body;
}

// The field that a refusal is about, if it is about one, and what to say there.
function faultOf({ message, problem = {} }) {
  const { code, kind, amount, asset, decimals } = problem;
  const typed = ["payment", "day", "amount"].map(find).find((one) => one?.value.trim().replace(",", ".") === amount);
  if (code === "unknown_handle") {
    return [find("handle") ?? find("debit"), words("Nobody has this handle. Check how it is written.")];
  }
  if (code === "invalid_handle") return [find("handle"), words("This is no handle. It has 2 to 30 of a-z, 0-9 and _.")];
  if (code === "invalid_amount") return [typed, words("Write an amount such as 12.50.")];
  if (code === "amount_too_precise") return [typed, words("{asset} has {decimals} decimals at the most.", { asset, decimals })];
  if (kind === "reason") return [find("reason"), words("Say why, in 1 to 200 letters that can be printed.")];
  if (kind === "limit") return [find("day"), words("A day's limit is no less than that of one payment.")];
  if (kind === "correction") return [find("debit"), message];
  return [undefined, message];
}

function clear() {
  for (const fault of form.querySelectorAll(".fault")) fault.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

onSubmit(form, async (filled) => {
  clear();
  const made = await post("/v1/operator/proposals", asked(filled)).catch((error) => {
    const [field, text] = faultOf(error);
    if (!field) throw error;
    field.after(make("p", { class: "fault", id: `${field.id}-fault`, role: "alert" }, text));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${field.id}-fault`);
    field.focus();
    return undefined;
  });
  if (made) location.assign(`/console/proposals/${made.id}`);
});
