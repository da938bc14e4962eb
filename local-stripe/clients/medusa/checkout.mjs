// `checkout.mjs URL`: plays a checkout with medusa's Stripe payment provider, as medusa's payment module calls it. Exits with 0 if all
// checks pass.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import Module, { createRequire } from "node:module";
import { join } from "node:path";

// The provider asks for the whole framework, of which it uses only the utilities.
const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => resolve(name === "@medusajs/framework/utils" ? "@medusajs/utils" : name, ...rest);

// The packages are installed in another folder, named by the test.
const require = createRequire(join(process.env.NODE_CLIENTS, "package.json"));
const provided = (name) => require(`@medusajs/payment-stripe/dist/services/${name}.js`).default;
const Stripe = require("stripe");

const { hostname: host, port } = new URL(process.argv[2]);
const stripe = new Stripe("sk_test_medusa", { host, port, protocol: "http", maxNetworkRetries: 0 });

const events = [];
const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.end();
  events.push({ rawData: Buffer.concat(chunks), headers: request.headers });
  server.emit("event");
});
await once(server.listen(0, "127.0.0.1"), "listening");
const endpoint = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${server.address().port}/hooks/payment/stripe_stripe`,
  enabled_events: ["payment_intent.amount_capturable_updated", "payment_intent.succeeded", "payment_intent.payment_failed"],
});

function provider(name, options = {}) {
  const made = new (provided(name))({}, { apiKey: "sk_test_medusa", webhookSecret: endpoint.secret, ...options });
  // Its client is a public member, as there is no option for another host.
  made.stripe_ = stripe;
  return made;
}
const cards = provider("stripe-provider", { automaticPaymentMethods: true });

// Medusa gives each of its calls a key of its own.
let keys = 0;
const context = (more = {}) => ({ idempotency_key: `medusa_${(keys += 1)}`, ...more });

// The account holder.
const customer = { id: "cus_of_medusa", email: "ada@example.com", first_name: "Ada", last_name: "L" };
customer.billing_address = { address_1: "Main St 1", city: "Town", country_code: "us", postal_code: "10001" };
const made = await cards.createAccountHolder({ context: context({ customer }) });
const holder = { account_holder: { data: { id: made.id } } };
assert.deepEqual([made.data.name, made.data.address.line1], ["Ada L", "Main St 1"]);
const updated = await cards.updateAccountHolder({ context: context({ ...holder, customer: { ...customer, email: "lovelace@example.com" } }) });
assert.equal(updated.data.email, "lovelace@example.com");

// Amounts: medusa has euros, Stripe has cents.
const returning = { confirm: true, return_url: "https://shop.test/" };
const initiate = (of, currency_code, amount, data = {}, more = {}) =>
  of.initiatePayment({ currency_code, amount, data: { session_id: "payses_1", ...data }, context: context(more) });
const yen = await initiate(cards, "jpy", 500);
assert.equal(yen.data.amount, 500);
const initiated = await initiate(cards, "eur", 10.5, {}, holder);
assert.deepEqual([initiated.status, initiated.data.amount, initiated.data.customer], ["pending", 1050, made.id]);
const data = (await cards.updatePayment({ data: initiated.data, currency_code: "eur", amount: 12, context: context() })).data;
assert.equal(data.amount, 1200);

// The buyer confirms in the browser; the shop authorizes, captures and refunds.
await stripe.paymentIntents.confirm(data.id, { payment_method: "pm_card_visa", return_url: "https://shop.test/" });
assert.equal((await cards.authorizePayment({ data })).status, "authorized");
for (const attempt of ["first", "again"]) {
  const captured = await cards.capturePayment({ data, context: context() });
  assert.deepEqual([captured.data.status, captured.data.amount_received], ["succeeded", 1200], attempt);
}
assert.equal((await cards.authorizePayment({ data })).status, "captured");
assert.equal(Number((await cards.retrievePayment({ data })).data.amount), 12);
await cards.refundPayment({ amount: 5, data, context: context() });
await cards.refundPayment({ amount: 7, data, context: context() });
// The provider takes a second refund of the whole as done.
await cards.refundPayment({ amount: 12, data, context: context() });
const charge = (await stripe.paymentIntents.retrieve(data.id, { expand: ["latest_charge"] })).latest_charge;
assert.deepEqual([charge.amount_refunded, charge.refunded], [1200, true]);

// Cancellations, and a declined card, whose intent the provider keeps.
const unwanted = await initiate(cards, "usd", 3);
for (const attempt of ["first", "again"]) {
  const canceled = await cards.cancelPayment({ data: unwanted.data, context: context() });
  assert.equal(canceled.data.status, "canceled", attempt);
}
const declined = await initiate(cards, "usd", 30, { ...returning, payment_method: "pm_card_chargeDeclined" });
assert.deepEqual([declined.status, declined.data.last_payment_error.code], ["error", "card_declined"]);
const secure = await initiate(cards, "usd", 30, { ...returning, payment_method: "pm_card_authenticationRequired" });
assert.equal(secure.status, "requires_more");

// Saved cards.
const saved = await cards.savePaymentMethod({ context: context(holder), data: {} });
assert.match(saved.id, /^seti_/);
await stripe.setupIntents.confirm(saved.id, { payment_method: "pm_card_visa", return_url: "https://shop.test/" });
const [method, ...others] = await cards.listPaymentMethods({ context: holder });
assert.deepEqual([method.data.card.last4, others], ["4242", []]);
const later = { ...returning, payment_method: method.id, off_session: true, capture_method: "automatic" };
const offSession = await initiate(cards, "usd", 20, later, holder);
assert.equal(offSession.status, "captured");
await cards.deletePaymentMethod({ context: context(holder), data: { id: method.id } });
assert.deepEqual(await cards.listPaymentMethods({ context: holder }), []);

// The webhook route.
while (events.length < 4) await once(server, "event");
const actions = [];
for (const event of events) {
  const found = await cards.getWebhookActionAndData({ ...event, data: {} });
  actions.push([found.action, found.data.session_id, Number(found.data.amount)]);
}
assert.deepEqual(actions, [
  ["authorized", "payses_1", 12],
  ["captured", "payses_1", 12],
  ["failed", "payses_1", 30],
  ["captured", "payses_1", 20],
]);

await cards.deleteAccountHolder({ context: holder });
assert.equal((await stripe.customers.retrieve(made.id)).deleted, true);

// The providers of other methods are refused by name: the sandbox has cards, debits and bank transfers.
for (const [name, currency] of [
  ["stripe-bancontact", "eur"],
  ["stripe-blik", "pln"],
  ["stripe-giropay", "eur"],
  ["stripe-ideal", "eur"],
  ["stripe-oxxo", "mxn"],
  ["stripe-promptpay", "thb"],
  ["stripe-przelewy24", "pln"],
]) {
  await assert.rejects(initiate(provider(name), currency, 10), /Invalid payment_method_types|unknown parameter: payment_method_options/, name);
}
console.log("medusa: all checks passed");
process.exit();
