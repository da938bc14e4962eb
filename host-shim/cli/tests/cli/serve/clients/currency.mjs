// The story of a visitor from Austria, who sees prices in euros, comes with a code, and pays the tax of a team that is sold by seats.
import { linkIn, open } from "./browser.mjs";

const [server, , , data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;
const prices = () => page.$$eval("main .plan .price", (all) => all.map((price) => price.innerText.replace(/\s+/g, " ").trim()));
const chosen = () => page.$eval('[aria-label="Currency"] [aria-current]', (currency) => currency.innerText);
const body = async () => (await story.text("body")).replace(/\s+/g, " ");

// The country of the browser's language chooses first; whoever wants another currency follows a link.
await story.goto(`${server}/pricing`);
told.american = [await chosen(), (await prices())[1]];
await page.setExtraHTTPHeaders({ "Accept-Language": "de-AT,de;q=0.9,en-US;q=0.8" });
await story.goto(`${server}/pricing?code=TEN-OFF`);
told.austrian = [await chosen(), (await prices())[1]];
told.use = await story.text("[aria-labelledby=use-prices]");
await story.state("pricing-in-euros");
await story.followText("USD", "main nav a");
told.dollars = [await chosen(), (await prices())[1]];
await story.followText("EUR", "main nav a");
told.euros = new URL(page.url()).search;

await story.goto(`${server}/register`);
await story.signUp("ada@example.com", "Ada");
await story.goto(await linkIn(data, "ada@example.com", "/auth/confirm"));
await story.followText("Confirm my address");
await story.goto(`${server}/pricing?code=TEN-OFF`);
await story.type("#seats-newsroom", "6");
await story.followText("Subscribe to Newsroom");

// The checkout has the code, and computes the tax of the address.
told.before = await body();
await story.type("input[name=country]", "DE");
await story.follow("#setAddress");
told.due = await body();
await story.pay();
await story.sees("the payment has arrived for: Newsroom.");
await story.goto(`${server}/billing`);
told.billing = await story.text();
told.purchases = await page.$$eval("[aria-label=Purchases] tbody tr", (rows) => rows.map(({ cells }) => [...cells].slice(1, 4).map((cell) => cell.innerText).join(" | ")));
await story.state("billing-in-euros");

// From now on there is nothing to choose, whatever the country is.
await page.setExtraHTTPHeaders({ "Accept-Language": "en-US" });
await story.goto(`${server}/pricing?currency=usd`);
told.later = [await page.$$eval('[aria-label="Currency"]', (found) => found.length), (await prices())[1]];
await story.end();
