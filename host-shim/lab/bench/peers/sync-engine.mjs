// `sync-engine.mjs DATABASE SECRET PORT WORKERS`: serves stripe-sync-engine's handler of webhooks, called as in its documentation,
// with Node's own HTTP server. Each worker is a process with a connection pool of the engine's default size.

import cluster from "node:cluster";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_CLIENTS, "package.json"));
const { StripeSync, runMigrations } = require("@supabase/stripe-sync-engine");

const [databaseUrl, secret, port, workers] = process.argv.slice(2);

if (cluster.isPrimary) {
  await runMigrations({ databaseUrl, schema: "stripe", logger: { info() {}, error: (error) => console.error(error) } });
  for (let number = 0; number < Number(workers); number++) cluster.fork();
} else {
  const sync = new StripeSync({
    poolConfig: { connectionString: databaseUrl },
    stripeSecretKey: "sk_test_bench",
    stripeWebhookSecret: secret,
  });
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    try {
      await sync.processWebhook(Buffer.concat(parts), request.headers["stripe-signature"]);
      response.writeHead(200, { "Content-Type": "application/json" }).end('{"received":true}');
    } catch (error) {
      console.error(error.message);
      response.writeHead(400, { "Content-Type": "application/json" }).end('{"received":false}');
    }
  });
  server.listen(Number(port), "127.0.0.1");
}
