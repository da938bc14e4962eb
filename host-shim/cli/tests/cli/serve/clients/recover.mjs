// A provider fails, and later refuses for good: the console shows the effect and then the instance, one click tries again, and the
// customer's open page goes on.
import { open } from "./browser.mjs";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [server, , link, data] = process.argv.slice(2);
const story = await open();
const { page, told } = story;

// The provider cannot write who has the name of the first instance: a folder is in the way.
const inTheWay = join(data, "providers/local/labels/solobase-opera.json");
mkdirSync(inTheWay, { recursive: true });

await story.goto(`${server}/register?return_to=/pricing`);
await story.signUp("ada@example.com");
await story.followText("Subscribe to Starter");
await story.pay();
await story.sees("the payment has arrived for: Starter");
const create = async (name, subdomain) => {
  await story.goto(`${server}/instances/new`);
  await story.type("#f-name", name);
  await story.type('[name="metadata.subdomain"]', subdomain);
  await story.followText("Create", "main button");
};
await create("Opera", "opera");
await page.evaluate(() => (window.isTheSamePage = true));

// The operator is another person at another browser.
const operator = await story.beside();
await operator.claim(link);
await operator.sees("Is a directory");
told.again = (await operator.text("#effects")).replaceAll(/\s+/g, " ");
await operator.state("overview-tried-again");
// The operator gives up, and the customer tries again.
await operator.confirm("Give up", "#effects", { reason: "The disk is full" });
told.gaveUp = await operator.text("[role=status]");
await story.sees("It could not be made");
await operator.sees("The disk is full", "#failed");
await story.followText("Try again");
await page.evaluate(() => (window.isTheSamePage = true));
await operator.sees("Is a directory");
rmSync(inTheWay, { recursive: true });
await operator.followText("Try now");
told.now = await operator.text("[role=status]");
await story.sees("Open opera");
told.goesOn = await page.evaluate(() => window.isTheSamePage === true);

// The bucket that the next instance needs is somebody else's.
const other = join(data, "providers/local/resources/bucketofsomebodyelse");
const bucket = {
  scope: "solobase/test/user:somebody", resource: "bucket", id: "inst_other/bucket", state: "running", generation: 1,
  outputs: { bucket: "solobase-choir", id: "other" }, settings: { name: "solobase-choir" },
};
mkdirSync(other, { recursive: true });
writeFileSync(join(other, "resource.json"), JSON.stringify(bucket));
await create("Choir", "choir");
await story.sees("It could not be made");
told.failed = await story.text(".tag");
await story.state("instance-failed");
await page.evaluate(() => (window.isTheSamePage = true));
await operator.sees("choir", "#failed");
told.stuck = await operator.text("#failed");
await operator.state("overview-failed");
// It fails once more when the operator tries it again at the account or with all others, and goes on when the bucket is free.
await operator.follow("#failed td a");
await operator.followText("Try again");
told.triedAtAccount = await operator.text("[role=status]");
await operator.goto(`${server}/admin`);
await operator.sees("choir", "#failed");
await operator.followText("Try all again");
told.triedAll = await operator.text("[role=status]");
await operator.sees("choir", "#failed");
rmSync(other, { recursive: true });
await operator.followText("Try again");
told.tried = await operator.text("[role=status]");
await operator.sees("No instance has failed");

await story.sees("Open choir");
told.live = await page.evaluate(() => window.isTheSamePage === true);
told.status = await story.text(".tag");
await story.end();
