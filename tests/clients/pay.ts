// Pays and reads the payment again, with the types that openapi-typescript made of /openapi.json (schema.d.ts, beside
// this file). Arguments: the gateway's address, an API key, the payee. Standard output: JSON of what was answered.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Payment = components["schemas"]["Payment"];
type Problem = components["schemas"]["Problem"];

const [baseUrl, apiKey, to] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${apiKey}` } });

async function pay(amount: string): Promise<Payment | Problem> {
  const { data, error } = await client.POST("/v1/payments", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { to, amount, asset: "EUR", memo: "lunch" },
  });
  return data ?? error;
}

const paid = await pay("12.50");
if ("code" in paid) throw new Error(paid.detail);
const settled: "settled" | null = paid.state === "settled" ? paid.state : null;
const { data: again } = await client.GET("/v1/payments/{id}", { params: { path: { id: paid.id } } });
const { data: page } = await client.GET("/v1/payments", { params: { query: { state: "settled", limit: 1 } } });
const refused = await pay("90000.00");

console.log(JSON.stringify({ paid, settled, again, listed: page?.items.map((one) => one.id), refused }));
