// The story of Orchestra at a server in local mode: a user pays and names an orchestra. Nothing configures the provider of databases, so the
// database waits for a person, and an operator sees it, enters a URL that is refused, lets the time run out, and enters one that is accepted.
import { operatorOf } from "./api.mjs";
import { inMails, open } from "./browser.mjs";

const [server, key, link, data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;
const flat = (text) => text.replaceAll(/\s+/g, " ").trim();
const here = () => page.url().replace(server, "");

// The first operator finds nothing to do.
await story.claim(link);
await story.followText("Provisions", ".nav a");
told.none = flat(await story.text(".empty"));
await story.state("provisions-empty");
await story.followText("Log out");

await story.goto(`${server}/welcome`);
told.anonymous = flat(await story.text("main"));
await story.state("welcome-anonymous");
await story.goto(`${server}/register?return_to=/welcome`);
await story.signUp("ada@example.com", "Ada");
told.registered = here();
told.unpaid = await story.text("h1");
await story.state("welcome-unpaid");
await story.followText("See the plans", "main a");
await story.state("pricing");
await story.followText("Subscribe to Pro");
await story.pay();
told.paid = here();
await story.sees("Name your orchestra");
await story.state("welcome-paid");
told.contact = await page.$eval('[name="metadata.contact_email"]', (input) => input.value);
await story.type("#f-name", "City Philharmonic");
await story.type('[name="metadata.subdomain"]', "a");
await story.followText("Set up the orchestra");
told.invalid = await page.$eval('[name="metadata.subdomain"]', (input) => document.getElementById(input.getAttribute("aria-describedby")).innerText);
told.typed = await page.$eval("#f-name", (input) => input.value);
await story.state("welcome-invalid");
await story.type('[name="metadata.subdomain"]', "philharmonic");
await story.followText("Set up the orchestra");
await story.sees("A person makes your database");
told.waits = flat(await story.text("[role=status]"));
await story.state("welcome-waits");
await story.followText("See the steps", "main a");
await story.state("instance");
const answer = await page.goto(`${server}/admin/provisions`, { waitUntil: "load" });
told.forbidden = answer.status();
await story.followText("Log out");

await story.goto(`${server}/login?return_to=/admin`);
await story.logIn("operator@local.invalid");
await story.followText("Provisions", ".nav a");
const row = () => page.$$eval("tbody td", (cells) => cells.map((cell) => cell.innerText)).then((cells) => cells.map(flat));
await story.sees("philharmonic");
told.heads = await page.$$eval("thead th", (heads) => heads.map((head) => head.innerText));
told.pending = (await row()).slice(0, 4);
told.left = /^2[34] h \d+ min$/.test((await row())[5]);
told.age = /^\d min$/.test((await row())[4]);
await story.state("provisions");
await story.followText("philharmonic", "tbody a");
told.provision = here();
await story.state("provision");
const secret = "mysql://orchestra:hunter22@db.example:5432/name";
await story.type("#f-url", secret);
await story.followText("Enter the database");
told.refused = flat(await story.text("[role=alert]"));
told.atField = await story.text("#e-url");
told.kept = (await page.content()).includes("hunter22");
await story.state("provision-refused");
await operatorOf(server, key).advance("25h");
await story.goto(`${server}/admin/provisions`);
await story.sees("Overdue");
told.late = await row().then((cells) => [cells[3], ...cells.slice(4).map((cell) => cell.replaceAll(/\d+ min/g, "N min"))]);
await story.state("provisions-overdue");
await story.followText("philharmonic", "tbody a");
await story.type("#f-url", secret.replace("mysql", "postgres"));
await story.followText("Enter the database");
told.accepted = await story.text("[role=status]");
await story.sees("No step waits for a person");
await story.state("provision-ready");
told.mails = await inMails(data, "that the orchestra is ready", (mails) => {
  const ready = mails.map((mail) => /^Subject: (.*)$/m.exec(mail)?.[1].trim()).filter((subject) => /ready/.test(subject));
  return ready.length > 0 && ready;
});
await story.goto(`${server}/admin/provisions/nothing`);
told.unknown = flat(await story.text());
await story.end();
