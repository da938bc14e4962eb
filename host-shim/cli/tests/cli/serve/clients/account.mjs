// A user's story: an organization with an invited member, a webhook endpoint with its secret and log, the own data, and the end of the account.
import { linkIn, open } from "./browser.mjs";

const [server, , , data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

await story.goto(`${server}/register`);
await story.signUp("ada@example.com");

// Before the address is confirmed, nobody can be invited. A browser without a session sets a new password by the link.
await story.followText("Team", ".nav a");
told.unproved = await story.text("[aria-label='Confirm your address']");
await story.state("team-unproved");
await story.followText("Developers", ".nav a");
await story.state("developers-unproved");
await story.followText("Account", ".nav a");
told.confirmed = (await story.text()).includes("Not confirmed");
await story.state("account-unproved");
const first = await linkIn(data, "ada@example.com", "/auth/confirm");
await story.followText("Mail the link again");
told.mailed = await story.text("[role=status]");
const link = await linkIn(data, "ada@example.com", "/auth/confirm", first);
const elsewhere = await story.beside();
await elsewhere.goto(link);
told.elsewhere = await elsewhere.text();
await elsewhere.state("confirm-elsewhere");
await story.goto(link);
await story.state("confirm");
await story.followText("Confirm my address");
told.proved = await story.text("[role=status]");
await story.state("confirmed");

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
await story.type("#f-email", "carol@example.com");
await story.type("#f-role", "member");
await story.followText("Invite", "main button");
await story.state("organization-invitations");
await story.follow("[aria-label=Invitations] tbody tr:last-child button");
told.withdrawn = await story.text("[role=status]");

// The invited one registers by the mail and joins, with a browser of the own; the founder lets the member go.
const bob = await story.beside();
const invitation = await linkIn(data, "bob@example.com", "/auth/invitation");
await bob.goto(invitation);
await bob.followText("Sign up", "main a");
await bob.signUp("bob@example.com");
told.invitation = await bob.text();
await bob.state("invitation");
await bob.followText("Join the organization");
told.joined = await bob.text();
await bob.goto(invitation);
told.usedInvitation = await bob.text();
await bob.state("invitation-used");
await page.reload({ waitUntil: "load" });
told.members = await page.$$eval("tbody tr", (rows) => rows.length);
await story.state("organization");
await story.follow("tbody tr:last-child button");
told.removed = await story.text("[role=status]");

await page.click("main summary");
await story.followText("Close the organization", "button");
await story.sees("No organization yet");

await story.followText("Developers", ".nav a");
await story.state("developers-empty");
await story.followText("The API", "main a");
told.api = (await story.text("main")).includes("/api/auth/me");
await story.state("api");
await story.goto(`${server}/developers`);
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
await story.followText("Send again");
told.resent = await story.text("[role=status]");
await story.followText("Send failed messages again");
told.resentAll = await story.text("[role=status]");
await story.followText("New secret");
told.rotated = (await story.text("[role=status] code")).startsWith("whsec_");
await story.state("endpoint-secret");
await story.followText("Disable");
told.disabled = await story.text(".tag");
await story.followText("Enable");
told.enabled = await story.text(".tag");
await page.click("main summary");
await story.followText("Delete the endpoint");
await story.sees("No endpoint yet");

await story.followText("Account", ".nav a");
await story.state("account");

// A new password by a mail, after which the other one no longer works.
await story.goto(`${server}/forgot`);
await story.state("forgot");
await story.type("#f-email", "ada@example.com");
await story.followText("Mail me a link");
told.forgot = await story.text("[role=status]");
await story.goto(await linkIn(data, "ada@example.com", "/auth/reset"));
await story.type("#f-password", "a new horse battery");
await story.state("reset");
await story.followText("Save the password");
told.reset = new URL(page.url()).pathname;
await story.followText("Account", ".nav a");
await page.click("main summary");
await story.type("#f-password", "wrong horse battery");
await story.followText("Delete my account");
told.kept = new URL(page.url()).pathname;
told.wrong = await story.text("main .error, main [role=alert]");
await story.state("account-not-deleted");
await story.type("#f-password", "a new horse battery");
await story.followText("Delete my account");
told.left = new URL(page.url()).pathname;
await story.goto(`${server}/dashboard`);
told.ended = new URL(page.url()).pathname;
await story.end();
