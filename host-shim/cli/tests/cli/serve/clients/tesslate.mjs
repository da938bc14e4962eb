// A story of Tesslate Studio: a user of Free who reaches the limits, buys credits, Premium, a slot and agents, and cancels again.
import { operatorOf, payAt } from "./api.mjs";
import { linkIn, open } from "./browser.mjs";

const [server, key, , data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

const api = operatorOf(server, key).call;

// The twentieth day of a month: the usage of the days before it is of the same month.
const now = new Date();
const today = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 20, 12));
await api("POST", "/api/operator/clock", { to: today.toISOString() });

const path = () => new URL(page.url()).pathname;

async function newProject(name, slug) {
  await story.goto(`${server}/dashboard`);
  await story.type("#f-name", name);
  await story.type('[name="metadata.slug"]', slug);
  await story.followText("Create the project", "main button");
}

// Sends a form of the projects once more, as an old page that is still open would.
async function sendAgain(action, fields) {
  const sent = page.waitForNavigation({ waitUntil: "load" });
  await page.evaluate(
    (path, given) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action: path });
      for (const [name, value] of Object.entries(given)) form.append(Object.assign(document.createElement("input"), { name, value }));
      document.body.append(form);
      form.submit();
    },
    `/do/${action}`,
    { _page: "/dashboard", ...fields },
  );
  await sent;
}

async function choose(selector, value) {
  await page.$eval(selector, (input, wanted) => (input.value = wanted), value);
}

// The plans are there for everybody.
await story.goto(`${server}/`);
await story.state("start");
await story.followText("See the plans", "main a");
told.plans = await page.$$eval(".plan h2", (titles) => titles.map((title) => title.innerText));
told.compared = await page.$$eval(".compare tbody tr", (rows) => rows.length);
await page.click(".faq summary");
told.answered = await story.text(".faq details[open] p");
await story.state("plans");
await story.followText("Upgrade to Premium");
told.login = path();
await story.followText("Sign up", "main a");
await story.signUp("ada@example.com", "Ada");
told.returned = path();
const user = await page.evaluate(async () => (await (await fetch("/api/auth/me")).json()).id);
const account = `account=user:${user}`;

// The status is in the user's menu, and the navigation has the billing link.
await story.goto(`${server}/dashboard`);
await page.click(".menu summary");
told.menu = await story.text(".menu > div");
told.nav = await page.$$eval(".nav a", (links) => links.map((link) => link.innerText));
await story.state("dashboard-empty");
await story.goto(`${server}/billing`);
told.empty = await story.text("#paid");
await story.state("billing-free");
await story.goto(`${server}/billing/usage`);
await story.sees("No usage in these days");
await story.state("usage-empty");
await story.followText("Synchronise now", "main button");
await story.sees("The use of models does not come from a proxy");

// Projects: a wrong short name, the limit of Free, and the upgrade that it leads to.
await newProject("Shop", "No!");
told.wrong = await page.$eval('[name="metadata.slug"]', (input) => document.getElementById(input.getAttribute("aria-describedby")).innerText);
told.kept = await page.$eval("#f-name", (input) => input.value);
await story.state("project-invalid");
await newProject("Shop", "shop");
told.created = await story.text("[role=status]");
told.full = await page.$eval("#project-limit .tag.bad", (tag) => tag.innerText);
await newProject("Blog", "blog");
told.projectLimit = await story.text("[role=alert]");
told.typed = await page.$eval("#f-name", (input) => input.value);
await story.state("project-limit");

// Deployments: one for Free.
await story.goto(`${server}/dashboard`);
await story.followText("Deploy", "main button");
await story.sees("Deployed", "#projects");
await story.sees("Open Shop", "#projects");
told.deployed = await page.$eval("#projects .spread a", (link) => new URL(link.href).hostname);
await story.state("deployed");
await sendAgain("deploy", { slug: "shop" });
told.deployLimit = await story.text("[role=alert]");
await story.state("deploy-limit");
// Free sells no slots.
await sendAgain("buy_slot", {});
told.featureLimit = await story.text("[role=alert]");
await story.state("feature-limit");

// Credits: the way back from the checkout, and a payment that arrives while the page waits.
await story.goto(`${server}/billing`);
await story.follow('[name=package][value=medium] + button');
told.checkout = path().startsWith("/c/pay/");
await story.goto(`${server}/billing/cancel`);
await story.state("canceled");
const rows = await api("GET", `/api/queries/list?kind=purchases&${account}`);
const pending = rows.entries.map(({ value }) => value).find(({ status }) => status === "pending");
const { checkout_url: checkout } = await api("POST", `/api/billing/credits/purchase?${account}`, { package: "medium" });
await story.goto(`${server}/billing/success?session_id=${pending.session}`);
await page.evaluate(() => (window.isTheSamePage = true));
told.waiting = await story.text("#bought");
await story.state("success-waiting");
await payAt(checkout);
await story.sees("1,000 credits", "#bought");
told.live = await page.evaluate(() => window.isTheSamePage === true);
told.arrived = await story.text("#bought");
await story.state("success-credits");

// Usage of three days, by model and by agent.
const day = (back) => new Date(today.getTime() - back * 86_400_000).toISOString().slice(0, 10);
const used = (id, back, quantity, attributes) => ({ id, meter: "tokens", quantity, at: `${day(back)}T00:00:00Z`, attributes });
await api("POST", "/api/events", {
  id: "usage_1",
  account: `user:${user}`,
  timestamp: `${day(0)}T00:00:00Z`,
  usage: [
    used("use_1", 1, 50_000, { model: "large" }),
    used("use_2", 3, 40_000, { model: "small", agent: "agent_quill" }),
    used("use_3", 3, 5_000, { model: "large", agent: "agent_smith" }),
    used("use_4", 5, 80_000, { model: "small" }),
  ],
});
await story.goto(`${server}/billing/usage`);
await choose("#f-start", day(6));
await choose("#f-end", day(1));
await story.followText("Show", "main button");
told.figures = await page.$$eval(".figure", (figures) => figures.slice(0, 4).map((figure) => figure.innerText));
told.bars = await page.$$eval(".chart rect", (bars) => bars.length);
await page.locator("main details summary").click();
told.numbers = await page.$$eval("details tbody tr", (rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.innerText)));
told.byModel = await page.$$eval("[aria-label='By model'] tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
told.byAgent = await page.$$eval("[aria-label='By agent'] tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
await story.state("usage");
await choose("#f-agent", "agent_quill");
await story.followText("Show", "main button");
told.ofAgent = await page.$$eval(".chart rect", (bars) => bars.length);
await choose("#f-start", day(0));
await choose("#f-end", day(2));
await story.followText("Show", "main button");
told.reversed = await story.text("#e-end");
await story.state("usage-reversed");

// Agents of all four pricing types.
await story.goto(`${server}/agents`);
told.agents = await page.$$eval("#agents section", (cards) => cards.map((card) => card.innerText.replace(/\s+/g, " ")));
await story.state("agents");
await story.followText("Get it for free");
told.free = await story.text("[role=status]");
await story.followText("Use and pay as you go");
await story.followText("Buy", "#agents button");
await story.goto(`${server}/agents`);
told.unpaid = await page.$$eval("#agents .tag", (tags) => tags.map((tag) => tag.innerText));
await story.followText("Go on to the payment");
await story.pay();
await story.sees("Smith has arrived", "#bought");
const smith = page.url();
await story.goto(`${server}/agents`);
await story.followText("Subscribe");
await story.pay();
await story.sees("Muse has arrived", "#bought");
// Each page of thanks is about its own checkout, whatever was paid since.
await story.goto(smith);
await story.sees("Smith has arrived", "#bought");
await story.goto(`${server}/agents`);
told.owned = await page.$$eval("#agents .tag", (tags) => tags.map((tag) => tag.innerText));
await story.state("agents-owned");

// Premium, from the plans to Stripe and back.
await story.goto(`${server}/billing/plans`);
await story.followText("Upgrade to Premium");
await story.pay();
told.paid = path();
await story.sees("You have Premium now", "#bought");
await story.state("success-premium");
for (const [name, slug] of [["Blog", "blog"], ["Wiki", "wiki"], ["Docs", "docs"]]) await newProject(name, slug);
told.amber = await story.text("#project-limit");
await story.state("projects-amber");
await newProject("Game", "game");
for (const slug of ["blog", "wiki", "docs", "game"]) await api("POST", `/api/projects/${slug}/deploy?${account}`, {});
await newProject("Last", "last");
told.premiumLimit = await story.text("[role=alert]");
await story.state("project-limit-premium");
// A deleted project leaves room for another one. A wrong name deletes nothing.
await story.goto(`${server}/dashboard`);
await story.counts(5, "#projects .tag.good");
await story.confirm("Undeploy Wiki", "[aria-labelledby=p-prj_wiki]");
await page.waitForSelector("[aria-labelledby=p-prj_wiki] [name=confirm]");
await story.confirm("Delete Wiki", "[aria-labelledby=p-prj_wiki]", { confirm: "Wikipedia" });
told.notDeleted = await story.text("[aria-labelledby=p-prj_wiki] .error");
await story.state("project-not-deleted");
await story.goto(`${server}/dashboard`);
await story.confirm("Delete Wiki", "[aria-labelledby=p-prj_wiki]", { confirm: "Wiki" });
told.deleted = await story.text("[role=status]");
await newProject("Last", "last");
await api("POST", `/api/projects/last/deploy?${account}`, {});
await story.goto(`${server}/dashboard`);
await story.counts(5, "#projects .tag.good");
await sendAgain("deploy", { slug: "game" });
told.slotRequired = await story.text("[role=alert]");
await story.state("slot-required");
await story.followText("Buy a slot", "[role=alert] button");
await story.pay();
await story.sees("You can deploy 6 projects now", "#bought");
await story.state("success-slot");
await story.goto(`${server}/dashboard`);
await page.click(".menu summary");
told.slots = await story.text(".menu > div");
await story.state("dashboard-premium");

// A slot holds one more project, too.
await newProject("Sixth", "sixth");
await story.sees("Sixth", "#projects");
await story.sees("Buy a slot", "#project-limit");
told.sixth = await story.text("#project-limit");

// Payouts are set up at Stripe, which tells at once that they are. They go only to whoever has proved the address.
await story.goto(await linkIn(data, "ada@example.com", "/auth/confirm"));
await story.followText("Confirm my address");
await story.goto(`${server}/billing/earnings`);
await story.state("earnings");
await story.followText("Set up payouts");
await page.waitForSelector("#complete");
await page.click("#complete");
await page.waitForFunction((address) => location.href === address, {}, `${server}/billing/earnings`);
await story.sees("Set up", "#payouts .tag.good");
told.payouts = await story.text("#payouts");
await story.state("earnings-set-up");

// Billing: what was paid, the portal, and the end of Premium.
await story.goto(`${server}/billing`);
told.transactions = await page.$$eval("#paid tbody tr", (rows) =>
  rows.map(({ cells }) => `${cells[2].innerText} ${cells[1].innerText.split("\n")[0]}`).sort(),
);
await story.state("billing-premium");
await story.followText("Payment methods and receipts");
told.portal = new URL(page.url()).origin !== server;
await story.goto(`${server}/billing`);
await story.confirm("Cancel Muse", "#agent-subscriptions");
told.agentCancelled = await story.text("[role=status]");
await story.sees("Ends", "#agent-subscriptions .tag");
await story.goto(`${server}/agents`);
await story.sees("Ends", "[aria-labelledby=a-agent_muse]");
await story.goto(`${server}/billing`);
await story.followText("Cancel Premium", "a");
told.asked = await story.text("h1");
await story.state("cancel-asked");
await story.followText("Keep Premium", "main a");
await story.followText("Cancel Premium", "a");
await story.followText("Cancel Premium", "main button");
told.cancelled = await story.text("[role=status]");
await story.sees("Ends", "#plan .tag");
told.status = (await story.text("#plan")).includes("You keep Premium until");
await story.state("billing-cancelled");
await story.goto(`${server}/`);
told.compact = await story.text(".banner");
await story.state("start-again");
await story.end();
