// The pages tell a customer of each failure: a refused card, 3-D Secure, a name that is taken, and reached limits.
import { open } from "./browser.mjs";

const [server, key] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

async function api(path, body, account) {
  const answer = await fetch(`${server}${path}?account=${account}`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// Bob has the name already.
const { checkout_url } = await api("/api/commands/purchase.create", { plan: "hobby" }, "user:bob");
const paid = { email: "bob@example.com", number: "4242 4242 4242 4242", expiry: "12 / 40", cvc: "123", name: "Bob" };
await fetch(checkout_url, { method: "POST", body: new URLSearchParams(paid), redirect: "manual" });
for (let tries = 0; ; tries += 1) {
  try {
    await api("/api/commands/instance.create", { name: "Bob", metadata: { subdomain: "choir" } }, "user:bob");
    break;
  } catch (error) {
    if (tries > 50) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

await story.goto(`${server}/register?return_to=/pricing`);
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "correct horse battery");
await story.followText("Sign up", "main button");

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
async function pay(number) {
  for (const [name, text] of [["email", "ada@example.com"], ["number", number], ["expiry", "12 / 40"], ["cvc", "123"], ["name", "Ada"]]) {
    if (await page.$(`input[name=${name}]`)) await story.type(`input[name=${name}]`, text);
  }
  await story.follow("form button[type=submit], form button:not([type])");
}
await pay("4000 0000 0000 0002");
told.declined = (await story.text("body")).includes("declined");
await pay("4000 0027 6000 3184");
told.secure = (await story.text("body")).includes("3-D Secure");
await story.follow("form button[type=submit], form button:not([type])");
told.paid = page.url().replace(server, "");
await story.sees("your plan is active");

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
