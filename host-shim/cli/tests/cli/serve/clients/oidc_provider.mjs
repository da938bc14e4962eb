// Runs `oidc-provider` at a port with a signing key of its own making, and writes `ready`. A server of the tests is its client.
import { createRequire } from "node:module";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.PACKAGES}/node_modules/`);
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const [port, kid, redirect] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const secret = process.env.OIDC_SECRET;
const machine = "backend";

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "shop", client_secret: secret, redirect_uris: [redirect] },
    { client_id: machine, client_secret: secret, grant_types: ["client_credentials"], response_types: [], redirect_uris: [] },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" }] },
  cookies: { keys: ["a key of the tests"] },
  pkce: { required: () => true, methods: ["S256"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== "eve", name: id }),
  }),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.client.clientId === machine ? "https://api.example.com" : undefined),
      getResourceServerInfo: () => ({ scope: "", audience: "shop-api", accessTokenFormat: "jwt", accessTokenTTL: 600 }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
