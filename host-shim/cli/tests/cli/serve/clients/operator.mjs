// An operator's story at a server in local mode: the first login by the link, what is stuck, an event from its arrival to its effects, and an
// account whose instance is suspended and resumed by a click.
import { open } from "./browser.mjs";

const [server, key, link] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

async function api(path, body, account = "user:ada") {
  const answer = await fetch(`${server}${path}?account=${account}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// A customer has bought a plan and an instance.
const { checkout_url } = await api("/api/commands/purchase.create", { plan: "starter" });
const form = { email: "ada@example.com", number: "4242 4242 4242 4242", expiry: "12 / 40", cvc: "123", name: "Ada" };
await fetch(checkout_url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
for (let tries = 0; ; tries += 1) {
  try {
    await api("/api/commands/instance.create", { name: "App", metadata: { subdomain: "ada" } });
    break;
  } catch (error) {
    // The webhook of the payment is on its way.
    if (tries > 50) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

await story.goto(`${server}/admin`);
told.anonymous = new URL(page.url()).pathname;
await story.goto(link);
await story.state("claim");
await story.type("#f-password", "correct horse battery");
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
