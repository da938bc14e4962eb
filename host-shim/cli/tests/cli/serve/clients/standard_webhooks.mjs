// Verifies the message in the variable MESSAGE with the npm package `standardwebhooks`, and a changed one, which it must refuse.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.PACKAGES}/node_modules/`);
const { Webhook } = require("standardwebhooks");

const { secret, body, headers } = JSON.parse(process.env.MESSAGE);
const webhook = new Webhook(secret);
webhook.verify(body, headers);
let told = "verified";
try {
  webhook.verify(body.replace("subscription", "description"), headers);
  told += " accepted";
} catch {
  told += " refused";
}
console.log(told);
