// `sync-engine.mjs URL BACKFILL_DATABASE WEBHOOK_DATABASE DELIVERIES SECRET`: lets stripe-sync-engine copy an account
// twice, by its backfills and by its webhook handler, and checks that it has every object of the API. Exits with 0 if so.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_CLIENTS, "package.json"));
const { StripeSync, runMigrations } = require("@supabase/stripe-sync-engine");
const Stripe = require("stripe");
const pg = require("pg");

const [url, backfillDatabase, webhookDatabase, deliveriesFile, secret] = process.argv.slice(2);
// The engine's default.
const apiVersion = "2020-08-27";

// The engine's copies: the names of the backfill and of its result, the table, and the API's list.
const kinds = [
  ["product", "products", "products", (s) => s.products.list({ limit: 100 })],
  ["price", "prices", "prices", (s) => s.prices.list({ limit: 100 })],
  ["plan", "plans", "plans", (s) => s.plans.list({ limit: 100 })],
  ["customer", "customers", "customers", (s) => s.customers.list({ limit: 100 })],
  ["subscription", "subscriptions", "subscriptions", (s) => s.subscriptions.list({ status: "all", limit: 100 })],
  ["subscription_schedules", "subscriptionSchedules", "subscription_schedules", (s) => s.subscriptionSchedules.list()],
  ["invoice", "invoices", "invoices", (s) => s.invoices.list({ limit: 100 })],
  ["charge", "charges", "charges", (s) => s.charges.list({ limit: 100 })],
  ["setup_intent", "setupIntents", "setup_intents", (s) => s.setupIntents.list()],
  ["payment_method", "paymentMethods", "payment_methods", methods],
  ["payment_intent", "paymentIntents", "payment_intents", (s) => s.paymentIntents.list({ limit: 100 })],
  ["tax_id", "taxIds", "tax_ids", (s) => s.taxIds.list()],
  ["credit_note", "creditNotes", "credit_notes", (s) => s.creditNotes.list()],
  ["dispute", "disputes", "disputes", (s) => s.disputes.list({ limit: 100 })],
  ["early_fraud_warning", "earlyFraudWarnings", "early_fraud_warnings", (s) => s.radar.earlyFraudWarnings.list()],
  ["refund", "refunds", "refunds", (s) => s.refunds.list({ limit: 100 })],
  ["checkout_sessions", "checkoutSessions", "checkout_sessions", (s) => s.checkout.sessions.list({ limit: 100 })],
];
// The kinds that the account must have; the sandbox has none of the others.
const present = new Set(
  ["product", "price", "plan", "customer", "subscription", "subscription_schedules", "invoice", "charge", "payment_method",
    "payment_intent", "credit_note", "dispute", "early_fraud_warning", "refund", "checkout_sessions"],
);
async function* methods(stripe) {
  for await (const customer of stripe.customers.list({ limit: 100 })) {
    yield* stripe.paymentMethods.list({ customer: customer.id, limit: 100 });
  }
}

function expect(condition, words) {
  if (!condition) {
    console.error(`sync-engine.mjs: ${words}`);
    process.exit(1);
  }
}

async function engine(databaseUrl) {
  await runMigrations({ databaseUrl, schema: "stripe", logger: { info() {}, error: (e) => expect(false, `migration: ${e}`) } });
  const sync = new StripeSync({
    poolConfig: { connectionString: databaseUrl },
    stripeSecretKey: "sk_test_sync_engine",
    stripeWebhookSecret: secret,
    stripeApiVersion: apiVersion,
    autoExpandLists: true,
    backfillRelatedEntities: true,
  });
  // The client is a public member, as there is no option for another host.
  const { hostname: host, port } = new URL(url);
  sync.stripe = new Stripe("sk_test_sync_engine", { host, port, protocol: "http", apiVersion });
  return sync;
}

async function listed(list, stripe) {
  const found = [];
  for await (const one of list(stripe)) found.push(one);
  return found;
}

async function rows(client, table) {
  const { rows } = await client.query(`select * from stripe."${table}"`);
  return new Map(rows.map((row) => [row.id, row]));
}

// Compares the members that table and object share, except nested objects. An integer is text in a row.
function compare(table, row, object) {
  expect(row, `${table}: ${object.id} is lost`);
  for (const [name, value] of Object.entries(object)) {
    if (!(name in row) || (typeof value === "object" && value !== null)) continue;
    const got = row[name];
    const same = got === value || (got !== null && value !== null && String(got) === String(value));
    expect(same, `${table} ${object.id}.${name}: ${got} for ${value}`);
  }
}

async function backfills() {
  const sync = await engine(backfillDatabase);
  const all = await sync.syncBackfill({ object: "all" });
  const client = new pg.Client({ connectionString: backfillDatabase });
  await client.connect();
  const counts = [];
  for (const [object, answer, table, list] of kinds) {
    const objects = await listed(list, sync.stripe);
    expect(objects.length > 0 === present.has(object), `${object}: ${objects.length} in the account`);
    expect(all[answer].synced === objects.length, `${object}: ${all[answer].synced} synced of ${objects.length}`);
    // A second run alone must change nothing.
    const again = await sync.syncBackfill({ object });
    expect(again[answer].synced === objects.length, `${object} alone: ${again[answer].synced} of ${objects.length}`);
    const table_rows = await rows(client, table);
    for (const one of objects) compare(table, table_rows.get(one.id), one);
    const live = [...table_rows.values()].filter((row) => !row.deleted).length;
    expect(live === objects.length, `${table}: ${live} rows for ${objects.length}`);
    counts.push(`${objects.length} ${table}`);
  }
  console.log(`sync-engine.mjs: ${kinds.length} backfills: ${counts.join(", ")}`);
  await client.end();
  await sync.close();
}

async function webhooks() {
  const sync = await engine(webhookDatabase);
  const deliveries = JSON.parse(readFileSync(deliveriesFile, "utf8"));
  expect(deliveries.length > 0, "no deliveries");
  for (const { body, signature } of deliveries) {
    await sync.processWebhook(body, signature).catch((error) => expect(false, `${JSON.parse(body).type}: ${error.message}`));
  }
  const forged = await sync.processWebhook(`${deliveries[0].body} `, deliveries[0].signature).catch((error) => error);
  expect(forged instanceof Error, "a changed body was taken");
  const client = new pg.Client({ connectionString: webhookDatabase });
  await client.connect();
  const told = new Set(deliveries.map(({ body }) => JSON.parse(body).data.object.id));
  for (const [object, , table, list] of kinds.filter(([object]) => present.has(object))) {
    // Every object had an event, except open sessions, which have none.
    const all = await listed(list, sync.stripe);
    const wanted = object === "checkout_sessions" ? all.filter((one) => told.has(one.id)) : all;
    const table_rows = await rows(client, table);
    expect(wanted.length > 0, `webhooks: nothing to compare in ${table}`);
    for (const one of wanted) expect(table_rows.has(one.id), `webhooks: ${table} lacks ${one.id}`);
  }
  console.log(`sync-engine.mjs: ${deliveries.length} webhooks processed, nothing lost`);
  await client.end();
  await sync.close();
}

await backfills();
await webhooks();
