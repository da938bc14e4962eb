// A customer's story at a server in local mode: from the prices to a running instance, and to the end of the plan.
import { get } from "node:http";
import { fileURLToPath } from "node:url";
import { operatorOf } from "./api.mjs";
import { PASSWORD, open } from "./browser.mjs";

const [server, key] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

const operator = operatorOf(server, key);

await story.goto(`${server}/`);
await story.state("start");
await story.followText("See the plans", "a");
await story.state("pricing");
// A visitor signs up at a page that keeps the plan, or logs in and comes back to it.
await story.followText("Subscribe to Starter");
told.chosen = await story.text();
await story.state("subscribe-visitor");
await story.followText("Log in", "main a");
told.login = new URL(page.url()).pathname;
await story.state("login");
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "wrong horse battery");
await story.followText("Log in", "main button");
told.wrong = await story.text("[role=alert]");
told.kept = await page.$eval("#f-email", (input) => input.value);
await story.state("login-wrong");
await story.followText("Sign up", "main a");
await story.type("#f-name", "Ada");
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "short");
await story.followText("Sign up", "main button");
told.weak = await story.text("#e-password");
await story.state("register-weak");
await story.type("#f-password", PASSWORD);
await story.followText("Sign up", "main button");
told.registered = new URL(page.url()).pathname;
await story.state("subscribe");
const chosen = page.url();
await story.goto(`${server}/dashboard`);
told.next = await page.$$eval("main a.button:not(.plain)", (links) => links.map((link) => link.innerText));
await story.state("dashboard-empty");

await story.goto(chosen);
await story.followText("Continue to checkout");
told.checkout = new URL(page.url()).pathname.startsWith("/c/pay/");
await story.pay();
told.paid = page.url().replace(server, "");
await story.sees("the payment has arrived for: Starter");
await story.state("dashboard-paid");

await story.followText("Create an instance", "a");
await story.type("#f-name", "My app");
await story.type('[name="metadata.subdomain"]', "a");
await story.followText("Create", "main button");
told.invalid = await page.$eval('[name="metadata.subdomain"]', (input) => document.getElementById(input.getAttribute("aria-describedby")).innerText);
told.typed = await page.$eval("#f-name", (input) => input.value);
await story.state("wizard-invalid");
await story.type('[name="metadata.subdomain"]', "ada");
await story.followText("Create", "main button");
told.instance = new URL(page.url()).pathname;
// The page shows the end of the setup while it stays open.
await page.evaluate(() => (window.isTheSamePage = true));
await story.sees("running");
told.live = await page.evaluate(() => window.isTheSamePage === true);
told.steps = await page.$$eval(".steps li", (items) => items.map((item) => item.innerText.trim()));
await story.state("instance-running");
told.address = await page.$eval("main .button", (link) => link.href);

// The page allows no script of its own to fetch, and Node does not resolve the names under `localhost`.
function download(address) {
  const { host, port, pathname } = new URL(address);
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: pathname, headers: { host } }, async (answer) => resolve((await answer.toArray()).join(""))).on("error", reject);
  });
}
// The instance is an application: a note with a file, in its own database and bucket.
await story.goto(told.address);
await story.state("notebook-empty");
await story.type("#name", "first note");
await story.type("#text", "Kept <here>");
await story.followText("Keep the note");
told.note = { wrong: await story.text("#name-error"), kept: await page.$eval("#text", (input) => input.value.trim()) };
await story.state("notebook-wrong");
await story.type("#name", "first");
await (await page.$("#file")).uploadFile(fileURLToPath(import.meta.url));
await story.followText("Keep the note");
told.note.shown = [await story.text("article h3"), await story.text("article .text"), await story.text("article .file a")];
told.note.file = (await download(await page.$eval("article .file a", (link) => link.href))).slice(0, 30);
await story.state("notebook");

await story.goto(`${server}/dashboard`);
told.usage = await story.text("#usage");
await story.state("dashboard-running");
for (const name of ["bob", "eve"]) {
  await story.goto(`${server}/instances/new`);
  await story.type("#f-name", name);
  await story.type('[name="metadata.subdomain"]', name);
  await story.followText("Create", "main button");
}
told.limit = await story.text("[role=alert]");
told.upgrade = await page.$eval("[role=alert] a", (link) => link.innerText);
await story.state("limit");
// The second one gets another name for a moment, and is deleted, after its name was written.
await story.goto(`${server}/instances/inst_bob`);
await page.click('details:has([action$="/do/rename_instance"]) summary');
await story.type("#f-name", "Rob");
await story.state("instance-rename");
await story.followText("Save the name");
told.renamed = await story.text("h1");
await page.click('details:has([action$="/do/rename_instance"]) summary');
await story.type("#f-name", "bob");
await story.followText("Save the name");
for (const name of ["Rob", "bob"]) {
  if (name === "Rob") await page.click('details:has([action$="/do/delete_instance"]) summary');
  await story.type("#f-confirm", name);
  await story.followText("Delete the instance");
  if (name === "bob") continue;
  told.notDeleted = await story.text("#e-confirm");
  await story.state("instance-not-deleted");
}
told.deleted = new URL(page.url()).pathname;
await story.sees("1 of 2", "#usage");
await story.goto(`${server}/instances/new`);
await story.type("#f-name", "Again");
await story.goto(`${server}/billing`);
await story.state("billing");
await story.followText("Payment methods and receipts");
told.portal = new URL(page.url()).origin !== server;
await story.goto(`${server}/billing`);
await page.click("summary");
await story.followText("Cancel the subscription");
told.canceled = await story.text("[role=status]");
// Stripe's webhook has changed the plan, and the page shows it.
await story.sees("Ends", ".tag");
await story.state("billing-canceled");
// Whoever changes their mind before the end keeps the plan, and may cancel it again.
await story.followText("Keep my plan");
told.stays = await story.text("[role=status]");
await story.sees("Active", ".tag");
await page.click("summary");
await story.type("[name=comment]", "Too many instances");
await story.followText("Cancel the subscription");
await story.sees("Ends", ".tag");

// The session lasts for 14 days. After the login, the browser is on the page that it asked for.
async function later(advance, path) {
  // An open page would go to the login by itself.
  await story.goto("about:blank");
  await operator.advance(advance);
  await story.goto(`${server}${path}`);
  await story.logIn("ada@example.com");
}
await later("32d", told.instance);
told.returned = new URL(page.url()).pathname;
await story.sees("suspended");
await story.state("instance-suspended");
// A visitor opens the address of the instance.
const visited = async (name) => {
  const answer = await story.goto(told.address);
  await story.state(name);
  return [answer.status(), await story.text("h1"), await page.$eval("main .button", (link) => link.href)];
};
told.awaySuspended = await visited("away-suspended");
await later("40d", told.instance);
await story.sees("archived", ".tag");
told.status = await story.text(".tag");
await story.state("instance-after-40-days");
told.awayArchived = await visited("away-archived");
await story.goto(`${server}/nothing-here`);
await story.state("not-found");
await story.followText("Log out");
told.loggedOut = new URL(page.url()).pathname;
await story.end();
