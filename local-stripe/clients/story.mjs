// Plays a story with the official Node library: `story.mjs URL`. Exits with 0 if all checks pass.

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';

// The libraries are installed in another folder, named by the test.
const Stripe = createRequire(`${process.env.NODE_CLIENTS}/`)('stripe');

const url = new URL(process.argv[2]);
const make = (key) => new Stripe(key, { host: url.hostname, port: url.port, protocol: 'http', maxNetworkRetries: 0 });
const stripe = make('sk_test_node_story');

const received = [];
const receiver = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  received.push({ body: Buffer.concat(chunks), signature: request.headers['stripe-signature'] });
  response.end();
});
await new Promise((done) => receiver.listen(0, '127.0.0.1', done));

/** Fills in the form of the checkout page. */
async function payThroughPage(page, number) {
  const form = { number, expiry: '12 / 34', cvc: '123', email: 'node@example.com', name: 'Node' };
  const answer = await fetch(page, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
  return [answer.status, answer.headers.get('location')];
}

const endpoint = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${receiver.address().port}/`,
  enabled_events: ['*'],
});

const customer = await stripe.customers.create({ email: 'node@example.com', metadata: { account: '1' } });
const product = await stripe.products.create({ name: 'Pro' });
const price = (unit_amount) => stripe.prices.create({ product: product.id, currency: 'usd', unit_amount, recurring: { interval: 'month' } });
const [pro, team] = [await price(2000), await price(5000)];

let session = await stripe.checkout.sessions.create({
  mode: 'subscription',
  customer: customer.id,
  line_items: [{ price: pro.id, quantity: 1 }],
  success_url: 'http://shop.test/ok?session={CHECKOUT_SESSION_ID}',
});
assert.deepEqual(await payThroughPage(session.url, '4000000000000002'), [402, null]);
assert.deepEqual(await payThroughPage(session.url, '4242424242424242'), [303, `http://shop.test/ok?session=${session.id}`]);
session = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
const subscription = session.subscription;
assert.deepEqual([session.payment_status, subscription.status], ['paid', 'active']);

const upgraded = await stripe.subscriptions.update(subscription.id, {
  items: [{ id: subscription.items.data[0].id, price: team.id }],
  proration_behavior: 'always_invoice',
  expand: ['latest_invoice'],
});
assert.equal(upgraded.items.data[0].price.id, team.id);
assert.equal(upgraded.latest_invoice.amount_paid, 3000);

const payments = await stripe.invoicePayments.list({ invoice: upgraded.latest_invoice.id });
const refund = await stripe.refunds.create({ payment_intent: payments.data[0].payment.payment_intent, amount: 1000 });
assert.deepEqual([refund.status, refund.amount], ['succeeded', 1000]);
assert.equal((await stripe.subscriptions.cancel(subscription.id)).status, 'canceled');

const made = [];
for (let n = 0; n < 25; n += 1) made.unshift((await stripe.customers.create({ name: `page ${n}` })).id);
const listed = [];
for await (const one of stripe.customers.list({ limit: 10 })) listed.push(one.id);
assert.deepEqual(listed, [...made, customer.id]);

const options = { idempotencyKey: 'node-story' };
const first = await stripe.customers.create({ name: 'once' }, options);
assert.equal((await stripe.customers.create({ name: 'once' }, options)).id, first.id);

const failures = {
  StripeIdempotencyError: () => stripe.customers.create({ name: 'other' }, options),
  StripeInvalidRequestError: () => stripe.customers.retrieve('cus_none'),
  StripeCardError: () =>
    stripe.paymentIntents.create({ amount: 500, currency: 'usd', confirm: true, payment_method: 'pm_card_chargeDeclined' }),
  StripeAuthenticationError: () => make('sk_live_wrong').customers.list(),
};
for (const [type, call] of Object.entries(failures)) {
  await assert.rejects(call, (error) => error.type === type || assert.fail(`${error.type} instead of ${type}`));
}

const wanted = new Set([
  'checkout.session.completed', 'customer.subscription.created', 'customer.subscription.updated', 'invoice.paid',
  'charge.refunded', 'customer.subscription.deleted', 'payment_intent.payment_failed',
]);
let count = 0;
const deadline = Date.now() + 20_000;
while (wanted.size > 0) {
  assert.ok(Date.now() < deadline, `no webhook of ${[...wanted]}`);
  const next = received.shift();
  if (next === undefined) {
    await new Promise((done) => setTimeout(done, 5));
    continue;
  }
  wanted.delete(stripe.webhooks.constructEvent(next.body, next.signature, endpoint.secret).type);
  assert.throws(() => stripe.webhooks.constructEvent(`${next.body} `, next.signature, endpoint.secret));
  count += 1;
}
console.log(`story.mjs: all checks passed, ${count} webhooks verified`);
process.exit(0);
