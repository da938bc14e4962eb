// A user of Tesslate Studio, with the client that `provisioner api` writes: a registration, prices, a checkout that is paid at the local Stripe, a
// project that is deployed, and a plan that is cancelled. The compiler checks that the client has every type and method.
import { ApiError, billingApi, createBillingApi } from "./billing.js";
import type {
  BillingApi, BillingConfig, CreditBalanceResponse, CreditPurchase, DeploymentLimitsResponse, SubscriptionResponse,
  Transaction, UsageSummaryResponse,
} from "./billing.js";

declare const process: { argv: string[] };
declare const console: { log(text: string): void };

/** The methods that the application calls (TES-90). */
const methods = [
  "getConfig", "getSubscription", "subscribe", "cancelSubscription", "getCreditsBalance", "purchaseCredits", "getUsage",
  "getTransactions", "getEarnings", "connectStripe", "deployProject", "undeployProject", "getPortal", "getCreditsHistory",
  "getUsageLogs", "getDeploymentLimits", "purchaseDeploySlot", "purchaseAgent",
] as const satisfies readonly (keyof BillingApi)[];

/** Returns a value as JSON, with the members of objects in order. */
function text(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member);
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [text(actual), text(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}

async function until<T>(what: string, ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen in 10 s`);
}

/** Pays at a page of the local Stripe. */
async function pay(url: string): Promise<void> {
  const { origin, pathname } = new URL(url);
  const card = new URLSearchParams({ number: "4242424242424242", expiry: "12 / 34", cvc: "123", email: "ada@example.com", name: "Ada" });
  const paid = await fetch(origin + pathname, { method: "POST", body: card, redirect: "manual" });
  equal(paid.status, 303, "the payment");
}

/** Registers a user, and returns the token of the session. */
async function register(baseUrl: string): Promise<string> {
  const body = JSON.stringify({ email: "ada@example.com", password: "correct horse battery", name: "Ada" });
  const answer = await fetch(`${baseUrl}/api/auth/register`, { method: "POST", body });
  equal(answer.status, 201, "the registration");
  return ((await answer.json()) as { token: string }).token;
}

const [, , baseUrl = ""] = process.argv;
const token = await register(baseUrl);
const seen: number[] = [];
const api: BillingApi = createBillingApi({
  baseUrl,
  token: () => token,
  onRequest: (request) => {
    request.headers.set("X-Studio", "1");
    return request;
  },
  onResponse: (response) => void seen.push(response.status),
});
for (const method of methods) equal(typeof api[method], "function", method);
equal(typeof billingApi.getConfig, "function", "the client of the page's own server");

const config: BillingConfig = await createBillingApi({ baseUrl }).getConfig();
equal(config.credit_packs.map((pack) => pack.credits), [500, 1000, 5000], "the packs");

const free: SubscriptionResponse = await api.getSubscription();
equal([free.tier, free.deploys], ["free", { allowed: 1, used: 0 }], "the tier at first");
const refused: unknown = await api.cancelSubscription().catch((error: unknown) => error);
if (!(refused instanceof ApiError)) throw new Error(`expected an error of the API: ${refused}`);
equal([refused.status, refused.code], [409, "not_premium"], "nothing to cancel");

await pay((await api.subscribe()).checkout_url);
const premium = await until("Premium", () => api.getSubscription(), (it) => it.tier === "premium");
equal([premium.status, premium.deploys.allowed], ["active", 5], "the plan");

await pay((await api.purchaseCredits({ package: "medium" })).checkout_url);
const credits: CreditBalanceResponse = await until("credits", () => api.getCreditsBalance(), (it) => it.credits > 0);
equal(credits, { credits: 1000, amount_minor: 1000, currency: "usd" }, "the credits");
const bought: CreditPurchase[] = (await api.getCreditsHistory({ limit: 5 })).purchases;
equal(bought.map((purchase) => purchase.package), ["medium"], "the history");
const paid: Transaction[] = (await until("two payments", () => api.getTransactions(), (it) => it.transactions.length === 2)).transactions;
equal(paid.map((one) => one.amount_minor).sort((a, b) => a - b), [500, 1000], "the payments");

await api.createProject({ name: "One", slug: "one" }, { idempotencyKey: "one" });
await api.createProject({ name: "One", slug: "one" }, { idempotencyKey: "one" });
const deployed = await api.deployProject("one");
equal([deployed.is_deployed, deployed.deployed_projects_count], [true, 1], "the deployment");
const limits: DeploymentLimitsResponse = await api.getDeploymentLimits();
equal(limits, { tier: "premium", deployed: 1, included: 5, purchased: 0, available: 4 }, "the limits");
const usage: UsageSummaryResponse = await api.getUsage();
equal([usage.tokens, usage.by_model], [0, []], "the use");
const noProxy: unknown = await api.syncUsage().catch((error: unknown) => error);
if (!(noProxy instanceof ApiError)) throw new Error(`expected an error of the API: ${noProxy}`);
equal([noProxy.status, noProxy.code], [404, "no_proxy"], "nothing to read");
const portal = await api.getPortal();
if (!portal.portal_url.startsWith("http")) throw new Error(`not a link: ${portal.portal_url}`);

const cancelled = await api.cancelSubscription();
equal([cancelled.cancel_at_period_end, cancelled.ends_at], [true, premium.current_period_end], "the cancelled plan");
await until("the cancellation", () => api.getSubscription(), (it) => it.cancel_at_period_end);
equal(seen.every((status) => status < 500), true, "no failure of the server");
console.log("a user bought and cancelled a plan, and a project runs");
