// The story of an organization that buys seats, sees what each change costs before it pays, and takes a smaller plan back.
import { linkIn, open } from "./browser.mjs";

const [server, , , data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;
const path = () => page.url().replace(server, "").replace(/org_\w+/, "ID").replace(/session_id=\w+/, "session_id=SESSION");
const buttons = () => page.$$eval("main .plan", (plans) => plans.map((plan) => plan.querySelector("form button, a.button, :scope > p:last-child")?.innerText.replace(/\s+/g, " ").trim()));

await story.goto(`${server}/register`);
await story.signUp("ada@example.com", "Ada");
await story.goto(await linkIn(data, "ada@example.com", "/auth/confirm"));
await story.followText("Confirm my address");
await story.followText("Team", ".nav a");
await story.type("#f-name", "Choir");
await story.followText("Create it");

// The menu of the accounts: from here on, pages and forms are about the organization.
await page.click(".accounts summary");
told.accounts = await page.$$eval(".accounts li", (rows) => rows.map((row) => row.innerText.trim()));
await story.state("accounts");
await story.followText("Choir", ".accounts a");
told.switched = path();
await story.followText("Pricing", ".nav a");
told.offered = await buttons();
await story.type("#seats-company", "5");
await story.followText("Subscribe to Company");
await story.pay();
await story.sees("the payment has arrived for: Company.");
told.bought = path();

// The pricing page knows the plan, and a change shows its price first.
await story.followText("Pricing", ".nav a");
told.held = await buttons();
told.mark = await page.$$eval("main .plan .tag", (tags) => tags.map((tag) => tag.innerText));
await story.state("pricing-held");
await story.type("#seats-company", "7");
await story.followText("Change Company");
told.cost = (await story.text()).replace(/\s+/g, " ");
await story.state("change");
await story.followText("Pay and change");
told.changed = path();
await story.sees("Quantity 7");

// A smaller plan costs nothing today, is shown until it comes, and can be taken back.
await story.followText("Change plan", "main a");
await story.type("#seats-pro", "2");
await story.followText("Downgrade to Pro");
told.smaller = (await story.text()).replace(/\s+/g, " ");
await story.followText("Change the plan");
await story.sees("your plan changes to Pro × 2");
await story.state("billing-planned");
await story.followText("Keep my plan");
await story.until("no planned change", () => !document.querySelector("main").innerText.includes("your plan changes"));

// The account of Ada herself has bought nothing.
await page.click(".accounts summary");
await story.followText("ada@example.com", ".accounts a");
await story.followText("Billing", ".nav a");
told.own = await story.text("#plan");
await story.followText("Pricing", ".nav a");
told.ownOffers = await buttons();
await story.end();
