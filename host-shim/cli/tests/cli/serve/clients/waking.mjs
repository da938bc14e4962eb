// A story of Orchestra: an operator enters the database that a person made, the customer's page goes on, nobody comes
// for a month, and a visit or the owner wakes the orchestra.
import { operatorOf } from "./api.mjs";
import { open } from "./browser.mjs";

const [server, key, link] = process.argv.slice(2);
const host = "philharmonic.stagesub.com";
// The proxy in front of a server leads the names of orchestras to it.
const story = await open(`--host-resolver-rules=MAP *.stagesub.com ${new URL(server).host}`);
const { page, told } = story;
const flat = (text) => text.replaceAll(/\s+/g, " ").trim();
const api = operatorOf(server, key);

await story.goto(`${server}/register?return_to=/pricing`);
await story.signUp("ada@example.com", "Ada");
await story.followText("Subscribe to Pro");
await story.pay();
await story.sees("Name your orchestra");
await story.type("#f-name", "City Philharmonic");
await story.type('[name="metadata.subdomain"]', "philharmonic");
await story.followText("Set up the orchestra");
await story.sees("A person makes your database");
await page.evaluate(() => (window.isTheSamePage = true));

// An operator lets the provider try, which can't, and enters the database.
const operator = await story.beside();
await operator.claim(link);
await operator.sees("Database of philharmonic");
await operator.state("overview-step");
await operator.followText("Open the provision", "a");
await operator.followText("Let the provider try again");
told.again = await operator.text("[role=status]");
await operator.type("#f-url", "postgres://orchestra:hunter22@db.example:5432/name");
await operator.followText("Enter the database");
told.entered = await operator.text("[role=status]");
await story.sees("ready");
told.live = await page.evaluate(() => window.isTheSamePage === true);
await story.state("welcome-ready");
await operator.followText("Onboarding", ".nav a");
told.onboarding = flat(await operator.text());
await operator.state("onboarding-by-hand");

// The overview leads to the database of another orchestra.
await api.have("user:bob", "pro", { name: "Opera", metadata: { subdomain: "opera", contact_email: "bob@example.com" } });
await operator.goto(`${server}/admin`);
await operator.sees("Database of opera");
await operator.followText("Open the provision", "a");
await operator.type("#f-url", "postgres://opera:hunter22@opera.example:5432/name");
await operator.followText("Enter the database");
await operator.goto(`${server}/admin`);
await operator.sees("No step waits for a person");

// Nobody comes for a month.
const visitor = await story.beside();
async function visit() {
  const answer = await visitor.goto(`http://${host}/`);
  return [answer.status(), await visitor.text("h1")];
}
// Lets a month pass without any page open. All logins end meanwhile, and the owner finds the orchestra asleep.
async function sleeps() {
  for (const one of [story, visitor, operator]) await one.goto("about:blank");
  await api.advance("31d");
  await story.goto(`${server}/instances/orch_philharmonic`);
  await story.logIn("ada@example.com");
  await story.sees("Nobody used it for a while");
}

told.running = await visit();
await visitor.state("away-elsewhere");
await sleeps();
await story.state("instance-idle");
// The first visit wakes it. A person makes its database again, and the page asks by itself until it is there.
told.visited = await visit();
await visitor.state("away-restoring");
told.visitor = flat(await visitor.text("body"));
await operator.goto(`${server}/admin/provisions/philharmonic`);
await operator.logIn("operator@local.invalid");
await operator.type("#f-url", "postgres://orchestra:hunter22@other.example:5432/name");
await operator.followText("Enter the database");
await visitor.sees("Not at this server", "body");
await story.goto(`${server}/instances/orch_philharmonic`);
await story.sees("running");

// Another month, and the owner wakes it.
await sleeps();
await story.followText("Restore");
told.restored = await story.text("[role=status]");
await story.sees("restoring", ".tag");
await story.end();
