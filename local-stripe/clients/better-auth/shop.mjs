// `shop.mjs URL`: a shop with better-auth and its Stripe plugin, whose routes a customer calls and whose webhook route the
// sandbox calls. Exits with 0 if the shop's subscription rows are always as they must be.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The packages are installed in another folder, named by the test.
const folder = join(process.env.NODE_CLIENTS, "package.json");
const installed = (name) => import(pathToFileURL(createRequire(folder).resolve(name)));
const { betterAuth } = await installed("better-auth");
const { memoryAdapter } = await installed("better-auth/adapters/memory");
const { organization } = await installed("better-auth/plugins");
const { stripe: plugin } = await installed("@better-auth/stripe");
const { default: Stripe } = await installed("stripe");

const { hostname: host, port } = new URL(process.argv[2]);
const stripe = new Stripe("sk_test_better_auth", { host, port, protocol: "http", maxNetworkRetries: 0 });

// The shop's server. Each time that it has taken an event, `until` looks again.
const webhooks = [];
const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const init = { method: request.method, headers: request.headers, body: Buffer.concat(chunks) };
  const answer = await auth.handler(new Request(base + request.url, init));
  response.writeHead(answer.status).end(await answer.text());
  webhooks.push(`${JSON.parse(init.body).type} ${answer.status}`);
  server.emit("taken");
});
await once(server.listen(0, "127.0.0.1"), "listening");
const base = `http://127.0.0.1:${server.address().port}`;
async function until(condition) {
  while (!condition()) {
    assert.deepEqual(problems, []);
    await once(server, "taken");
  }
}

const price = async (name, unit_amount, interval = "month") =>
  stripe.prices.create({ currency: "usd", unit_amount, recurring: { interval }, product_data: { name }, lookup_key: name });
const [starter, premium, yearly, team, seat] = [
  await price("starter", 1000),
  await price("premium", 3000),
  await price("starter_yearly", 10000, "year"),
  await price("team", 2000),
  await price("seat", 500),
];
const endpoint = await stripe.webhookEndpoints.create({
  url: `${base}/api/auth/stripe/webhook`,
  enabled_events: [
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
  ],
});

const tables = ["user", "session", "verification", "account", "subscription", "organization", "member", "invitation"];
const db = Object.fromEntries(tables.map((table) => [table, []]));
const problems = [];
const auth = betterAuth({
  baseURL: base,
  secret: "for tests on this machine only, of no use elsewhere",
  database: memoryAdapter(db),
  emailAndPassword: { enabled: true },
  user: { changeEmail: { enabled: true, updateEmailWithoutVerification: true } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "warn", log: (level, ...words) => problems.push([level, ...words].join(" ")) },
  plugins: [
    organization({}),
    plugin({
      stripeClient: stripe,
      stripeWebhookSecret: endpoint.secret,
      createCustomerOnSignUp: true,
      organization: { enabled: true },
      subscription: {
        enabled: true,
        authorizeReference: async () => true,
        plans: [
          { name: "starter", priceId: starter.id, annualDiscountPriceId: yearly.id, freeTrial: { days: 7 } },
          { name: "premium", lookupKey: premium.lookup_key },
          { name: "team", priceId: team.id, seatPriceId: seat.id },
        ],
      },
    }),
  ],
});

/** A customer's browser. */
class Browser {
  cookie = "";

  async ask(method, path, body) {
    const headers = { "content-type": "application/json", cookie: this.cookie, origin: base };
    const answer = await auth.handler(new Request(base + path, { method, headers, body: body && JSON.stringify(body) }));
    const cookies = answer.headers.getSetCookie();
    if (cookies.length > 0) this.cookie = cookies.map((cookie) => cookie.split(";")[0]).join("; ");
    return [answer.status, answer.headers.get("location"), await answer.text()];
  }

  async post(path, body) {
    const [status, , text] = await this.ask("POST", `/api/auth${path}`, body);
    assert.equal(status, 200, `${path}: ${text} ${problems}`);
    return JSON.parse(text);
  }

  /** Pays on the checkout page, and follows its link back to the shop. */
  async checkOut(url) {
    const form = { number: "4242424242424242", expiry: "12 / 34", cvc: "123", email: "ada@example.com", name: "Ada" };
    const paid = await fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
    assert.equal(paid.status, 303);
    const back = paid.headers.get("location");
    assert.ok(back.startsWith(`${base}/api/auth/subscription/success`), back);
    const [status, shop] = await this.ask("GET", back.slice(base.length));
    assert.deepEqual([status, shop], [302, `${base}/ok`]);
  }
}

/** Confirms what a page of the portal shows. */
async function confirm(url) {
  const page = await fetch(url);
  assert.equal(page.status, 200);
  const forms = (await page.text()).match(/<form[\s\S]*?<\/form>/g);
  assert.equal(forms?.length, 1, url);
  const fields = [...forms[0].matchAll(/<(?:input|button)[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map((f) => [f[1], f[2]]);
  const action = forms[0].match(/action="([^"]+)"/)?.[1] ?? page.url;
  const done = await fetch(new URL(action, page.url), { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  assert.ok(done.status < 400, `${done.status} ${await done.text()}`);
}

const urls = { successUrl: `${base}/ok`, cancelUrl: `${base}/no`, returnUrl: `${base}/back` };
const ada = new Browser();

// Sign-up.
await ada.post("/sign-up/email", { email: "ada@example.com", password: "a long password", name: "Ada" });
const user = db.user[0];
let customer = await stripe.customers.retrieve(user.stripeCustomerId);
assert.deepEqual([customer.email, customer.name, customer.metadata.userId], ["ada@example.com", "Ada", user.id]);

// A trial.
let answer = await ada.post("/subscription/upgrade", { plan: "starter", seats: 2, ...urls });
const row = db.subscription[0];
assert.deepEqual([row.status, row.plan, row.seats], ["incomplete", "starter", 2]);
await ada.checkOut(answer.url);
await until(() => db.subscription[0].stripeSubscriptionId && webhooks.length >= 2);
const subscription = () => db.subscription[0];
const subscriptionId = subscription().stripeSubscriptionId;
assert.deepEqual([subscription().status, subscription().plan, subscription().seats], ["trialing", "starter", 2]);
assert.equal(subscription().trialEnd - subscription().trialStart, 7 * 86_400_000);
assert.equal(subscription().periodEnd.getTime(), subscription().trialEnd.getTime());
const [, , list] = await ada.ask("GET", "/api/auth/subscription/list");
assert.deepEqual(JSON.parse(list).map((one) => one.stripeSubscriptionId), [subscriptionId]);

// An upgrade on the portal's page, which ends the trial.
answer = await ada.post("/subscription/upgrade", { plan: "premium", seats: 3, subscriptionId, ...urls });
await confirm(answer.url);
await until(() => subscription().plan === "premium");
assert.deepEqual([subscription().status, subscription().seats], ["active", 3]);

// A cancellation on the portal's page, and its end.
answer = await ada.post("/subscription/cancel", { subscriptionId, returnUrl: urls.returnUrl });
await confirm(answer.url);
await until(() => subscription().cancelAtPeriodEnd || subscription().cancelAt);
await ada.post("/subscription/restore", { subscriptionId });
await until(() => !subscription().cancelAtPeriodEnd && !subscription().cancelAt);
assert.equal(subscription().status, "active");

// A change at the end of the period, which the customer takes back.
await ada.post("/subscription/upgrade", { plan: "starter", subscriptionId, scheduleAtPeriodEnd: true, ...urls });
let held = await stripe.subscriptions.retrieve(subscriptionId);
const schedule = await stripe.subscriptionSchedules.retrieve(held.schedule);
assert.deepEqual([schedule.phases.length, schedule.phases[1].items[0].price], [2, starter.id]);
await ada.post("/subscription/restore", { subscriptionId });
held = await stripe.subscriptions.retrieve(subscriptionId);
assert.equal(held.schedule, null);

answer = await ada.post("/subscription/billing-portal", { returnUrl: urls.returnUrl });
assert.equal((await fetch(answer.url)).status, 200);

// The end, and a second purchase, which has no trial.
await stripe.subscriptions.cancel(subscriptionId);
await until(() => subscription().status === "canceled");
answer = await ada.post("/subscription/upgrade", { plan: "starter", annual: true, ...urls });
await ada.checkOut(answer.url);
await until(() => db.subscription.some((one) => one.status === "active"));
const bought = db.subscription.find((one) => one.status === "active");
assert.deepEqual([bought.billingInterval, bought.trialStart ?? null], ["year", null]);
const [status, , refusal] = await ada.ask("POST", "/api/auth/subscription/upgrade", { plan: "starter", annual: true, ...urls });
assert.deepEqual([status, JSON.parse(refusal).code], [400, "ALREADY_SUBSCRIBED_PLAN"]);

// A new address.
await ada.post("/change-email", { newEmail: "lovelace@example.com" });
customer = await stripe.customers.retrieve(user.stripeCustomerId);
assert.equal(customer.email, "lovelace@example.com");

// An organization pays for each member.
const engines = await ada.post("/organization/create", { name: "Engines", slug: "engines" });
const ofTeam = { customerType: "organization", referenceId: engines.id };
answer = await ada.post("/subscription/upgrade", { plan: "team", ...ofTeam, ...urls });
await ada.checkOut(answer.url);
const ofEngines = () => db.subscription.find((one) => one.referenceId === engines.id);
await until(() => ofEngines().status === "active");
const seats = async () => {
  const { items } = await stripe.subscriptions.retrieve(ofEngines().stripeSubscriptionId);
  return items.data.map((item) => [item.price.id, item.quantity]);
};
assert.deepEqual(await seats(), [[team.id, 1], [seat.id, 1]]);
const bob = new Browser();
await bob.post("/sign-up/email", { email: "bob@example.com", password: "a long password", name: "Bob" });
const invitation = await ada.post("/organization/invite-member", { email: "bob@example.com", role: "member", organizationId: engines.id });
await bob.post("/organization/accept-invitation", { invitationId: invitation.id });
assert.deepEqual(await seats(), [[team.id, 1], [seat.id, 2]]);
await until(() => ofEngines().seats === 2);

assert.deepEqual(webhooks.filter((webhook) => !webhook.endsWith(" 200")), []);
assert.deepEqual(problems, []);
console.log(`better-auth: every row right`);
process.exit();
