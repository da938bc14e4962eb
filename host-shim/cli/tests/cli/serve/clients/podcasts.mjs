// The story of the guide to adding a business: its business, without any configuration, sells plans with a trial and by seats, an add-on and credits.
import { open } from "./browser.mjs";

const [server] = process.argv.slice(2);
const story = await open();
const { page, told } = story;
const path = () => page.url().replace(server, "");
const cards = (region) => page.$$eval(`${region} .card.plan`, (found) => found.map((card) => card.innerText.replace(/\s+/g, " ").trim()));

await story.goto(`${server}/pricing`);
told.plans = await page.$$eval("main .plan h2", (heads) => heads.map((head) => head.innerText));
told.addOns = await cards("[aria-labelledby=add-ons]");
await story.state("pricing");
await story.followText("Try Studio for 14 days");
await story.signUp("ada@example.com", "Ada");
told.registered = new URL(page.url()).pathname;
await story.state("subscribe");
await story.followText("Continue to checkout");
told.due = (await story.text("body")).replace(/\s+/g, " ");
await story.pay();
told.subscribed = path().replace(/session_id=\w+/, "session_id=ID");
await story.sees("Your trial has begun: Studio. Nothing was paid yet.");
await story.sees("0 of 3", "#usage");

// The add-on, twice; it counts beside the plan.
await story.goto(`${server}/pricing`);
await story.type("#quantity-extra_show", "2");
await story.followText("Buy One more show");
told.checkout = new URL(page.url()).pathname.startsWith("/c/pay/");
await story.pay();
await story.sees("the payment has arrived for: One more show.");
await story.sees("0 of 5", "#usage");
told.said = await story.text("#paid");
told.nouns = [await story.text("main h2"), await story.text("main .button")];
await story.state("dashboard-add-on");

// Whoever leaves a checkout comes back to the prices.
await story.goto(`${server}/pricing`);
await story.followText("Buy Ten dollars of transcription");
const left = await page.$$eval("a", (links) => links.map((link) => link.href));
told.leaves = left.filter((link) => link.startsWith(server)).map((link) => link.replace(server, ""));
await story.pay();
await story.sees("the payment has arrived for: Ten dollars of transcription.");
await story.goto(`${server}/billing`);
await story.sees("$10.00", "#credit-balance");
told.purchases = await page.$$eval("[aria-label=Purchases] tbody tr", (rows) => rows.map(({ cells }) => [...cells].slice(1, 4).map((cell) => cell.innerText).join(" | ")));
await story.state("billing");

// The portal leads back to the page from which it was opened.
await story.follow('form[action$="/do/portal"] button');
told.portal = new URL(page.url()).origin !== server;
told.back = (await page.$$eval("a", (links) => links.map((link) => link.href))).some((link) => link === `${server}/billing`);

// A show opens on this machine.
await story.goto(`${server}/dashboard`);
await story.followText("Create a show", "a");
told.create = await story.text("h1");
await story.type("#f-name", "Wedding");
await story.type('[name="metadata.label"]', "wedding");
await story.state("new-show");
await story.followText("Create", "main button");
await story.sees("running");
await story.state("show");
await story.followText("Open Wedding", "a");
told.opened = { host: new URL(page.url()).hostname, shows: await story.text("body") };
await story.end();
