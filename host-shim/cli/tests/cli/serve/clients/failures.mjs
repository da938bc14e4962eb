// The pages tell a customer of each failure: a refused card, 3-D Secure, a name that is taken, and reached limits.
import { operatorOf } from "./api.mjs";
import { open } from "./browser.mjs";

const [server, key] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

// Bob has the name already.
await operatorOf(server, key).have("user:bob", "hobby", { name: "Bob", metadata: { subdomain: "choir" } });

await story.goto(`${server}/register?return_to=/pricing`);
await story.signUp("ada@example.com");

// Without a plan, nothing can be made; the page says what to buy.
await story.goto(`${server}/instances/new`);
await story.type("#f-name", "App");
await story.type('[name="metadata.subdomain"]', "choir");
await story.followText("Create", "main button");
told.without = await story.text("[role=alert]");
await story.state("no-plan");

await story.goto(`${server}/pricing`);
await page.click("#compare summary");
await story.state("plans-compared");
await story.follow('#compare form:has(input[value="hobby"]) button, #compare form:has(input[value="prod_hobby"]) button');
await story.pay("4000 0000 0000 0002");
told.declined = (await story.text("body")).includes("declined");
await story.pay("4000 0027 6000 3184");
told.secure = (await story.text("body")).includes("3-D Secure");
await story.follow("form button[type=submit], form button:not([type])");
told.paid = page.url().replace(server, "");
await story.sees("the payment has arrived for: Hobby");

await story.goto(`${server}/instances/new`);
await story.type("#f-name", "App");
await story.type('[name="metadata.subdomain"]', "choir");
await story.followText("Create", "main button");
told.taken = await page.$eval('[name="metadata.subdomain"]', (input) => document.getElementById(input.getAttribute("aria-describedby")).innerText);
await story.state("name-taken");
await story.type('[name="metadata.subdomain"]', "orchestra");
await story.followText("Create", "main button");
told.made = new URL(page.url()).pathname;
await story.end();
