// An operator's story at a server in local mode: the first login by the link, what is stuck, an event from its arrival to its effects, and an
// account whose instance is suspended and resumed by a click.
import { operatorOf } from "./api.mjs";
import { PASSWORD, open } from "./browser.mjs";

const [server, key, link] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

// A customer has bought a plan and an instance.
await operatorOf(server, key).have("user:ada", "starter", { name: "App", metadata: { subdomain: "ada" } });

await story.goto(`${server}/admin`);
told.anonymous = new URL(page.url()).pathname;
await story.goto(link);
await story.state("claim");
await story.type("#f-password", PASSWORD);
await story.followText("Save the password");
told.first = new URL(page.url()).pathname;
await story.sees("Everything works");
await story.state("overview");
told.overview = await story.text();

await story.followText("Events", ".nav a");
await story.state("events");
await story.type("#q-kind", "checkout.session.completed");
await story.followText("Search");
told.searched = await page.$$eval("tbody tr", (rows) => rows.length);
await story.follow("tbody a");
told.event = await story.text();
await page.click("summary");
await story.state("event");
await story.followText("Run again");
told.redriven = await story.text("[role=status]");
await story.followText("user:ada", "a");
told.account = decodeURIComponent(new URL(page.url()).pathname);
await story.sees("running");
await story.state("account");
await story.followText("Suspend");
await story.sees("suspended");
told.suspended = await story.text("[role=status]");
await story.followText("Resume");
await story.sees("running");

// The figures lead to their rows, and a customer's subscription is cancelled with a reason that is kept.
await story.goto(`${server}/admin`);
told.figures = await story.text("#figures");
await story.follow("#figures a");
told.revenue = (await story.text("main")).replaceAll(/\s+/g, " ");
await story.state("revenue");
await story.followText("user:ada", "a");
await page.click('section[aria-label="Subscriptions"] summary');
await story.type('[name="comment"]', "Moves to another tool");
await story.state("account-cancel");
await story.followText("Cancel the subscription");
told.canceled = await story.text("[role=status]");
await story.sees("Moves to another tool");
// The operator gives the customer more than the plan has, with a reason that is kept.
await page.$eval('[aria-label="Given"] details', (details) => (details.open = true));
await story.state("account-give");
await story.confirm("Give it", '[aria-label="Given"]', { amount: "3", reason: "A partner" });
told.given = (await story.text('[aria-label="Given"]')).replaceAll(/\s+/g, " ");

for (const [label, name] of [["Accounts", "accounts"], ["Resources", "resources"], ["Onboarding", "onboarding"], ["Campaigns", "campaigns"], ["Mails", "mails"]]) {
  await story.followText(label, ".nav a");
  await story.state(name);
}
await story.followText("Onboarding", ".nav a");
told.onboarding = (await story.text("main")).replaceAll(/\s+/g, " ");
// The mail that told the customer of the instance, as it looked.
await story.goto(`${server}/admin/accounts/user%3Aada`);
await story.followText("Look at the mail", "a");
told.mail = await page.$eval("main pre", (text) => text.textContent);
await story.state("sent-mail");
await story.goto(`${server}/admin`);
const clock = async () => Date.parse(`${(await story.text("#clock strong")).replace(" ", "T")}Z`);
const before = await clock();
await story.type("#f-own", "3 moons");
await story.followText("Advance the clock");
told.moons = await story.text("#e-own");
await story.state("overview-wrong-span");
await story.type("#f-own", "3d");
await story.followText("Advance the clock");
told.advanced = [await story.text("[role=status]"), Math.floor(((await clock()) - before) / 86400000)];
await story.goto(`${server}/dashboard`);
told.dashboard = new URL(page.url()).pathname;
await story.end();
