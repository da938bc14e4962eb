// The story of a shop of plugins at a server in local mode: a user buys software and makes tokens for it, and an operator writes to the customers.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PASSWORD, open } from "./browser.mjs";

const [server, , link, data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

const here = () => page.url().replace(server, "");
const flat = (text) => text.replaceAll(/\s+/g, " ").trim();
const form = (action, product, interval = "") =>
  `form[action$="/do/${action}"]:has(input[value="${product}"])${interval && `:has(input[value="${interval}"])`} button`;

await story.goto(`${server}/dashboard/downloads`);
told.anonymous = new URL(page.url()).pathname;
await story.state("login");
await story.goto(`${server}/pricing`);
told.products = await page.$$eval(".product h2", (heads) => heads.map((head) => head.innerText));
await story.state("products");
await story.goto(`${server}/register?return_to=/dashboard`);
await story.state("register");
await story.signUp("ada@example.com", "Ada");
told.registered = here();
told.empty = flat(await story.text(".empty"));
await story.state("dashboard-empty");
await story.goto(`${server}/dashboard/downloads`);
await story.state("downloads-empty");
await story.goto(`${server}/dashboard/billing`);
await story.state("billing-empty");

// By the month, once, and a file.
for (const [product, name, interval] of [
  ["prod_sample_editor", "Sample Editor", "month"],
  ["prod_sample_tool", "Sample Tool", "once"],
  ["prod_sample_manual", "Sample Manual", "month"],
]) {
  await story.goto(`${server}/pricing`);
  await story.follow(form("buy", product, interval));
  await story.pay();
  told.paid = here();
  await story.sees(name, "#paid .note.good");
}
await story.sees("Sample Tool", "#bought");
await story.sees("Sample Manual", "#plan");
await story.state("billing");
told.once = flat(await page.$eval('[aria-label="Bought once"] tbody', (rows) => rows.innerText)).replace(/ \w+ \d+, \d+ /, " DAY ");
await story.goto(`${server}/pricing`);
await story.follow(form("buy", "prod_sample_tool", "once"));
told.twice = flat(await story.text("[role=alert]"));
await story.state("products-owned");
await story.goto(`${server}/dashboard`);
told.owned = await page.$$eval("#owned .product h3", (heads) => heads.map((head) => head.innerText));
await story.state("dashboard");

await story.goto(`${server}/dashboard/downloads`);
await story.state("downloads");
await story.follow(form("issue_token", "prod_sample_editor"));
const token = await story.text("#the-token");
told.token = /^tok_[0-9a-f]{16}\.[0-9a-f]{64}$/.test(token);
told.pull = await story.text(".lines");
await story.goto(`${server}/dashboard/downloads`);
await story.follow(form("issue_pull_token", "prod_sample_editor"));
told.pullToken = flat(await story.text(".lines")).replaceAll(/[0-9a-f]{16,}/g, "HEX");
await story.state("pull-token");
await story.goto(`${server}/dashboard/downloads`);
await story.follow(form("issue_token", "prod_sample_editor"));
told.shownOnce = !(await story.text("#log ~ *")).includes(token);
await story.state("token");
await story.goto(`${server}/dashboard/downloads`);
told.gone = !(await page.content()).includes(token);
told.log = await page.$$eval("#downloads tbody tr", (rows) => rows.map((row) => [row.children[1].innerText, row.children[2].innerText].join(" ")));
await story.follow(form("issue_file_token", "prod_sample_manual"));
const fileToken = await story.text("#the-token");
await story.state("file-token");
// A download whose file is missing leaves its token, and the file that is put into the folder is delivered.
const answerTo = async (path, of) => {
  const answer = await fetch(`${server}${path}`, { headers: { authorization: `Bearer ${of}` } });
  const body = await answer.json();
  return [answer.status, body.code ?? (await (await fetch(body.url ?? body.grant.url)).text())];
};
const put = (name, text) => {
  const file = join(data, "providers", "local", "objects", name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
};
const manual = () => answerTo("/api/files/get/prod_sample_manual", fileToken);
const image = () => answerTo("/api/docker/pull/prod_sample_editor", token);
told.missing = [await manual(), await image()];
put("sample-files/manuals/sample manual.pdf", "the manual");
put("images/registry.example/sample-editor.tar", "the layers");
told.delivered = [await manual(), await image()];
told.spent = await manual();
await story.goto(`${server}/dashboard/downloads`);
await story.follow("#tokens tbody tr button");
told.revoked = [flat(await story.text("[role=status]")), (await page.$$("#tokens tbody tr button")).length];

for (const path of ["/admin", "/admin/customers", "/admin/campaigns"]) {
  const answer = await page.goto(`${server}${path}`, { waitUntil: "load" });
  (told.forbidden ??= []).push(answer.status());
}
told.reason = flat(await story.text());
await story.state("forbidden");
await story.followText("Log out");
for (const name of ["bob", "eve"]) {
  const body = { email: `${name}@example.com`, password: PASSWORD, name: name === "bob" ? "Bob" : "Eve" };
  await fetch(`${server}/api/auth/register`, { method: "POST", headers: { "content-type": "application/json", "accept-language": name === "eve" ? "de-DE,de;q=0.9" : "en" }, body: JSON.stringify(body) });
}

await story.claim(link);
await story.followText("Customers", ".nav a");
told.customers = await page.$$eval("tbody tr", (rows) => rows.map((row) => `${row.children[0].innerText} ${row.children[1].innerText}`).sort());
await story.state("customers");
await story.followText("Campaigns", ".nav a");
await story.state("campaigns-empty");
await story.type("#f-name", "New release");
await story.type("#f-template", "none");
await story.followText("Save the draft", "main button");
told.unknown = flat(await story.text("#e-template"));
told.typed = await page.$eval("#f-name", (input) => input.value);
await story.state("campaigns-wrong");
await story.type("#f-template", "news");
await story.followText("Save the draft", "main button");
told.all = flat(await story.text("[role=status]"));
await story.goto(`${server}/admin/campaigns`);
await story.type("#f-name", "For editors");
await page.select("#f-product", "prod_sample_editor");
await story.followText("Save the draft", "main button");
told.some = flat(await story.text("[role=status]"));
await story.state("campaigns-counted");
const card = (name) => page.$$eval(".campaigns .card", (cards, wanted) => cards.find((card) => card.querySelector("h3").innerText === wanted).innerText, name).then(flat);
const button = (action, name) => `.campaigns .card:has(input[value="${name}"]) form[action$="/do/${action}"] button`;
await story.follow(button("count_campaign", "New release"));
told.recounted = flat(await story.text("[role=status]"));
await story.follow(button("send_campaign", "For editors"));
told.sending = flat(await story.text("[role=status]"));
await story.sees("Sent", ".tag.good");
told.sent = await card("For editors");
await page.$eval('.campaigns .card:has(input[value="New release"]) input[name=at]', (input) => (input.value = "2099-01-02T09:00"));
await story.follow(button("schedule_campaign", "New release"));
await story.sees("Scheduled", ".campaigns");
told.scheduled = await card("New release");
await story.state("campaigns");
await story.follow('.campaigns form[action$="/do/cancel_campaign"] button');
await story.sees("Canceled", ".campaigns");
told.canceled = await card("New release");
await story.followText("Mails", ".nav a");
told.mails = await page.$$eval("tbody tr", (rows) => rows.map((row) => [...row.cells].slice(0, 2).map((cell) => cell.innerText)));
await story.state("mails");
await story.followText("Welcome", "a");
told.mail = [await story.text("#subject"), await page.$eval("iframe", (frame) => frame.src.slice(location.origin.length))];
told.html = await page.evaluate(async (address) => (await fetch(address)).text(), told.mail[1]);
await story.state("mail");
// The mails that were really sent.
const mails = readdirSync(join(data, "providers", "mails")).filter((name) => name.endsWith(".eml"));
const head = (text, name) => new RegExp(`^${name}: (.*)$`, "m").exec(text)[1].trim();
told.sentMails = mails.map((name) => {
  const text = readFileSync(join(data, "providers", "mails", name), "utf8");
  return [head(text, "To"), head(text, "Subject")];
});
await story.end();
