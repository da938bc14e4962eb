// A provider refuses for good: the console shows the instance, one click tries again, and the customer's open page goes on.
import { open } from "./browser.mjs";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [server, , link, data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

// The bucket that the instance needs is somebody else's, so that the provider refuses it for good.
const taken = join(data, "providers/local/resources/bucketofsomebodyelse");
const bucket = {
  scope: "solobase/test/user:somebody", resource: "bucket", id: "inst_other/bucket", state: "running", generation: 1,
  outputs: { bucket: "solobase-choir", id: "other" }, settings: { name: "solobase-choir" },
};
mkdirSync(taken, { recursive: true });
writeFileSync(join(taken, "resource.json"), JSON.stringify(bucket));

await story.goto(`${server}/register?return_to=/pricing`);
await story.type("#f-email", "ada@example.com");
await story.type("#f-password", "correct horse battery");
await story.followText("Sign up", "main button");
await story.followText("Subscribe to Starter");
for (const [name, text] of [["email", "ada@example.com"], ["number", "4242 4242 4242 4242"], ["expiry", "12 / 40"], ["cvc", "123"], ["name", "Ada"]]) {
  if (await page.$(`input[name=${name}]`)) await story.type(`input[name=${name}]`, text);
}
await story.follow("form button[type=submit], form button:not([type])");
await story.sees("your plan is active");
await story.goto(`${server}/instances/new`);
await story.type("#f-name", "Choir");
await story.type('[name="metadata.subdomain"]', "choir");
await story.followText("Create", "main button");
await story.sees("It could not be made");
told.failed = await story.text(".tag");
await story.state("instance-failed");
await page.evaluate(() => (window.isTheSamePage = true));

// The operator is another person at another browser.
const operator = await story.beside();
await operator.goto(link);
await operator.type("#f-password", "correct horse battery");
await operator.followText("Save the password");
await operator.sees("choir");
told.stuck = await operator.text("#failed");
await operator.state("overview-failed");
rmSync(taken, { recursive: true });
await operator.followText("Try again");
told.tried = await operator.text("[role=status]");
await operator.sees("No instance has failed");

await story.sees("Open choir");
told.live = await page.evaluate(() => window.isTheSamePage === true);
told.status = await story.text(".tag");
await story.end();
