// Calls of the API, by the session's cookie. A refusal is an error with the problem's own words (RFC 9457).

import { why, words } from "./words.js";

export class Refused extends Error {
  constructor(status, problem) {
    super(why(problem) || words("Something went wrong. Try again."));
    this.status = status;
    this.code = problem.code;
    this.type = problem.type || "";
    this.problem = problem;
  }
}

export async function call(method, path, body, { idempotencyKey } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  // It may hold what somebody has typed, and a header has visible ASCII alone (RFC 9110, 5.5).
  if (idempotencyKey) headers["Idempotency-Key"] = encodeURIComponent(idempotencyKey).slice(0, 255);
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
    });
  } catch {
    throw new Refused(0, { detail: words("The gateway does not answer. Check the connection and try again.") });
  }
  const shown = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, shown);
  return shown;
}

// Every item of a list, page after page.
export async function all(path) {
  const found = [];
  let cursor;
  do {
    const page = await get(`${path}?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

// Whether the call may have been carried out all the same: no answer came, or only that of a server in trouble.
export const isLost = (error) => error.status === 0 || error.status >= 500;

export const get = (path) => call("GET", path);
export const post = (path, body, how) => call("POST", path, body, how);
export const put = (path, body) => call("PUT", path, body);
