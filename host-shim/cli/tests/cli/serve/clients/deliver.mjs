// Signs deliveries with the helper of the official Node library and sends them: `deliver.mjs URL SECRET OTHER_SECRET < EVENT`.
// Prints the status of each as JSON, by the event's id.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// The libraries are installed in another folder, named by the test.
const Stripe = createRequire(`${process.env.NODE_CLIENTS}/`)('stripe');

const [url, secret, other] = process.argv.slice(2);
const stripe = new Stripe('sk_test_node_deliveries');
const event = JSON.parse(readFileSync(0, 'utf8'));
const now = Math.floor(Date.now() / 1000);
const statuses = {};

async function deliver(id, { change = (body) => body, ...options }) {
  const payload = JSON.stringify({ ...event, id }, null, 2);
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: now, ...options });
  const body = change(payload);
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
  statuses[id] = (await fetch(url, { method: 'POST', headers, body })).status;
}

await deliver('evt_node_good', {});
await deliver('evt_node_tampered', { change: (body) => body.replace('"id"', '"ID"') });
await deliver('evt_node_longer', { change: (body) => `${body} ` });
await deliver('evt_node_other', { secret: other });
await deliver('evt_node_old', { timestamp: now - 600 });
await deliver('evt_node_scheme', { scheme: 'v0' });
console.log(JSON.stringify(statuses));
