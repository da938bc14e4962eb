// A user's story: an organization with an invited member, a webhook endpoint with its secret and log, the own data, and the end of the account.
import { open } from "./browser.mjs";

const [server] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

await story.goto(`${server}/register`);
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "correct horse battery");
await story.followText("Sign up", "main button");

await story.followText("Team", ".nav a");
await story.state("team-empty");
await story.type("#f-name", "Choir");
await story.followText("Create it");
told.organization = await story.text("h1");
await story.type("#f-email", "bob@example.com");
await story.type("#f-role", "nobody");
await story.followText("Invite", "main button");
told.role = await story.text("#e-role");
await story.state("organization-wrong-role");
await story.type("#f-role", "owner");
await story.followText("Invite", "main button");
told.invited = await story.text("[role=status]");

await page.click("summary");
await story.followText("Close the organization", "button");
await story.sees("No organization yet");

await story.followText("Developers", ".nav a");
await story.state("developers-empty");
await story.type("#f-url", "http://127.0.0.1:9/hooks");
await story.followText("Add it");
told.secret = (await story.text("[role=status] code")).startsWith("whsec_");
await story.state("developers-secret");
await story.goto(`${server}/developers`);
told.again = (await story.text()).includes("whsec_");
await story.follow("h2 a");
await story.followText("Send a test");
await story.sees("endpoint.test");
await story.state("endpoint");
await page.click("summary");
await story.followText("Delete the endpoint");
await story.sees("No endpoint yet");

await story.followText("Account", ".nav a");
await story.state("account");
told.confirmed = (await story.text()).includes("Not confirmed");
await page.click("summary");
await story.type("#f-password", "wrong horse battery");
await story.followText("Delete my account");
told.kept = new URL(page.url()).pathname;
await page.click("summary");
await story.type("#f-password", "correct horse battery");
await story.followText("Delete my account");
told.left = new URL(page.url()).pathname;
await story.goto(`${server}/dashboard`);
told.ended = new URL(page.url()).pathname;
await story.end();
