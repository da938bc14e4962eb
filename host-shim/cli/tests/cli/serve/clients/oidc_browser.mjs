// Follows a login as a browser does: keeps cookies by host and path, follows redirects, and fills in the forms of `oidc-provider`. Writes
// what the server then says of the user, as JSON.
const [server, issuer, login] = process.argv.slice(2);
const jar = [];

async function request(url, form) {
  const { origin, pathname } = new URL(url);
  const sent = jar.filter((cookie) => cookie.origin === origin && pathname.startsWith(cookie.path));
  const headers = { cookie: sent.map(({ name, value }) => `${name}=${value}`).join("; ") };
  const body = form && new URLSearchParams(form);
  const answer = await fetch(url, { method: form ? "POST" : "GET", headers, body, redirect: "manual" });
  for (const line of answer.headers.getSetCookie()) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const at = pair.indexOf("=");
    const path = attributes.find((text) => text.toLowerCase().startsWith("path="))?.slice(5) ?? "/";
    const cookie = { origin, name: pair.slice(0, at), value: pair.slice(at + 1), path };
    const known = jar.findIndex((other) => other.origin === origin && other.name === cookie.name && other.path === path);
    jar.splice(known < 0 ? jar.length : known, known < 0 ? 0 : 1, cookie);
  }
  return answer;
}

let url = `${server}/api/auth/oidc/example?return_to=/dashboard`;
let form;
for (let step = 0; step < 20; step += 1) {
  const answer = await request(url, form);
  form = undefined;
  const location = answer.headers.get("location");
  if (location) {
    url = new URL(location, url).href;
    if (url === `${server}/dashboard`) break;
  } else if (answer.status === 200 && url.startsWith(issuer)) {
    const page = await answer.text();
    const hidden = [...page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    form = Object.fromEntries(hidden.map(([, name, value]) => [name, value]));
    if (form.prompt === "login") form = { ...form, login, password: "any" };
    url = new URL(page.match(/action="([^"]+)"/)[1], url).href;
  } else {
    console.log(JSON.stringify({ status: answer.status, ...(await answer.json()) }));
    process.exit(0);
  }
}
const me = await request(`${server}/api/auth/me`);
console.log(JSON.stringify({ status: me.status, url, ...(await me.json()) }));
