// The story of 2Bot at a server in local mode: a person buys an add-on, and an organization a plan and a booster.
import { open } from "./browser.mjs";

const [server] = process.argv.slice(2);
const story = await open();
const { page, told } = story;
const personal = `${server}/dashboard/settings/billing/workspace`;
const organization = `${server}/dashboard/settings/organization/billing/workspace`;

async function pay() {
  told.checkouts = (told.checkouts ?? 0) + Number(new URL(page.url()).pathname.startsWith("/c/pay/"));
  for (const [name, text] of [["email", "ada@example.com"], ["number", "4242 4242 4242 4242"], ["expiry", "12 / 40"], ["cvc", "123"], ["name", "Ada"]]) {
    if (await page.$(`input[name=${name}]`)) await story.type(`input[name=${name}]`, text);
  }
  await story.follow("form button[type=submit], form button:not([type])");
}
const here = () => decodeURIComponent(page.url().replace(server, "")).replace(/org_[0-9a-f]+/, "ID");
const figures = () => page.$$eval(".figures > div", (rows) => rows.map((row) => row.innerText.replaceAll(/\s+/g, " ").replace(/, counted anew on .*/, "").trim()));
const tiers = (table = "table[aria-label=Tiers]") => page.$$eval(`${table} tbody tr`, (rows) => rows.map((row) => [...row.children].map((cell) => cell.innerText.replaceAll(/\s+/g, " ").trim()).join(" | ")));
const form = (action, tier) => `form[action$="/do/${action}"]:has(input[value="${tier}"]) button`;

await story.goto(personal);
told.anonymous = new URL(page.url()).pathname;
await story.followText("Sign up", "main a");
await story.type("#f-name", "Ada");
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "correct horse battery");
await story.followText("Sign up", "main button");
told.registered = here();
told.reset = (await story.text(".figures")).includes("counted anew on");
told.empty = await figures();
told.monthly = await tiers();
await story.state("workspace-empty");
await story.followText("Yearly", "main nav a");
told.switched = here();
told.label = await page.$eval('.segments a[aria-current]', (link) => link.innerText.replaceAll(/\s+/g, " "));
told.yearly = await tiers();
await story.state("workspace-yearly");
await story.goto(`${personal}?canceled=true`);
told.canceled = await story.text("[role=status]");
await story.state("workspace-canceled");
await story.goto(`${personal}?interval=year`);
await story.follow(form("buy_addon", "MICRO"));
await pay();
told.paid = here();
await story.sees("the payment has arrived");
told.success = await story.text("[role=status]");
await story.sees("Unlimited", ".figures");
told.bought = await figures();
told.had = await tiers("table[aria-label=Bought]").then((rows) => rows.map((row) => row.replaceAll(/Renews on .*? \|/g, "Renews |")));
told.unsold = (await tiers())[0];
await story.state("workspace-bought");
await page.click("table[aria-label=Bought] summary");
await story.followText("End Workspace MICRO");
told.ended = await story.text("[role=status]");
await story.sees("Ends", "table[aria-label=Bought]");
await story.state("workspace-ended");
const portal = async (action) => {
  await story.follow(`form[action$="/do/${action}"] button`);
  return new URL(page.url()).origin !== server;
};
told.portals = [await portal("workspace_portal")];

await story.goto(organization);
told.organizations = await story.text("h1");
await story.state("organizations-empty");
await page.$eval("#f-name", (input) => (input.required = false));
await story.followText("Make the organization");
told.unnamed = await story.text(".error, [role=alert]");
await story.state("organizations-unnamed");
await story.type("#f-name", "Bot Makers");
await story.followText("Make the organization");
told.made = here();
told.free = await figures();
told.locked = await story.text(".note.warn");
told.withoutBoosters = await page.$$eval('form[action$="/do/buy_booster"]', (forms) => forms.length);
await story.state("organization-free");
await story.follow(form("buy_organization_plan", "org_growth"));
await pay();
told.planPaid = here();
await story.sees("the payment has arrived");
await story.sees("8 GB", ".figures");
told.growth = await figures();
await story.state("organization-growth");
await story.followText("Yearly", "main nav a");
told.boosters = await tiers();
await story.follow(form("buy_booster", "ORG_MEDIUM"));
await pay();
told.boosterPaid = here();
await story.sees("16 GB", ".figures");
told.pool = await figures();
await story.state("organization-boosted");
told.portals.push(await portal("organization_portal"));
// The address of BOT-23 names no organization.
await story.goto(`${organization}?success=true`);
told.unnamedSuccess = await story.text("[role=status]");
await story.state("organizations");
await story.followText("Open the pool", "main a");
told.opened = here();
await story.goto(`${server}/dashboard/settings/billing`);
await story.state("billing");
await story.goto(`${server}/dashboard`);
await story.state("dashboard");
await story.goto(`${server}/pricing`);
await story.state("pricing");
await story.follow('form[action$="/do/subscribe"] button');
told.subscribed = new URL(page.url()).pathname.startsWith("/c/pay/");
await story.goto(`${organization}?account=organization:org_0123`);
told.foreign = await story.text();
await story.end();
