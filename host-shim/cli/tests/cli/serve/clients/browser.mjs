// A browser for the stories of the pages: Chromium, driven by puppeteer. Each shown state is held against axe-core: with the variable WHOLE
// at two widths in two colour schemes, which are photographed if SHOTS names a folder, and otherwise at the width of a phone.
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { card } from "./api.mjs";

const require = createRequire(`${process.env.PACKAGES}/node_modules/`);
const puppeteer = require("puppeteer-core");
const isWhole = Boolean(process.env.WHOLE || process.env.SHOTS);
// The password of everybody in the stories.
export const PASSWORD = "correct horse battery";
const axe = readFileSync(require.resolve("axe-core"), "utf8");

// Returns what `find` finds in the mails that were sent. Waits until it finds something: a mail may be sent after the page shows its cause.
export async function inMails(data, what, find) {
  const folder = join(data, "providers", "mails");
  for (let tries = 0; tries < 300; tries += 1) {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".eml")) : [];
    const mails = names.map((name) => readFileSync(join(folder, name), "utf8").replaceAll(/=\r?\n/g, "").replaceAll("=3D", "="));
    const found = find(mails);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no mail ${what}`);
}

// Returns the link below a path in a mail to an address, but for the known link. Waits until there is such a mail.
export async function linkIn(data, address, path, known) {
  return inMails(data, `to ${address} with a link to ${path}`, (mails) => {
    const own = mails.filter((mail) => new RegExp(`^To: .*${address}`, "m").test(mail));
    const links = own.flatMap((mail) => mail.match(new RegExp(`http://[^\\s"<>]*${path}[^\\s"<>]*`)) ?? []);
    return links.find((link) => link !== known);
  });
}

// `args` are further arguments of Chromium.
export async function open(...args) {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US", "--force-color-profile=srgb", ...args],
    env: { ...process.env, LANGUAGE: "en_US" },
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  await page.setViewport({ width: 1280, height: 900 });
  return new Story(browser, page);
}

class Story {
  constructor(browser, page) {
    this.browser = browser;
    this.page = page;
    this.told = { states: [], serious: [], console: [], forms: [] };
    page.on("response", (response) => {
      const requests = [...response.request().redirectChain(), response.request()];
      const form = requests.map((request) => new URL(request.url()).pathname.match(/^\/do\/(\w+)$/)?.[1]).find(Boolean);
      // A form redirects. One that was refused leads to its page, with the status of the refusal.
      const isThere = response.ok() || response.status() === 304;
      if (form && isThere && !this.told.forms.includes(form)) this.told.forms.push(form);
    });
    page.on("console", (message) => {
      if (message.type() === "error") this.told.console.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.told.console.push(`${page.url()}: ${error.message}`));
  }

  // Another person at another browser, who shares nothing with the first one but what is told.
  async beside() {
    const context = await this.browser.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.setViewport({ width: 1280, height: 900 });
    const other = new Story(this.browser, page);
    other.told = this.told;
    return other;
  }

  async goto(url) {
    return this.page.goto(url, { waitUntil: "load" });
  }

  text(selector = "main") {
    return this.awaits(selector, this.page.$eval(selector, (element) => element.innerText));
  }

  // Waits until the page shows a text, without loading it again.
  async sees(text, selector = "main") {
    const shows = (wanted, where) => document.querySelector(where)?.innerText.toLowerCase().includes(wanted.toLowerCase());
    await this.until(`\`${text}\` in ${selector}`, shows, text, selector);
  }

  // Waits until the page has this number of elements, without loading it again.
  async counts(number, selector) {
    const has = (wanted, where) => document.querySelectorAll(where).length === wanted;
    await this.until(`${number} of ${selector}`, has, number, selector);
  }

  // Waits until something is true on the page.
  async until(expected, isTrue, ...args) {
    // By default puppeteer looks at each animation frame, and a hidden page has none.
    await this.awaits(expected, this.page.waitForFunction(isTrue, { polling: 100 }, ...args));
  }

  // Awaits something; if it fails, the error has what was expected, and what the page shows instead.
  async awaits(expected, promise) {
    try {
      return await promise;
    } catch (error) {
      const shown = await this.page.$eval("body", (body) => body.innerText).catch(() => "nothing");
      throw new Error(`expected ${expected} at ${this.page.url()}, which shows: ${shown}`, { cause: error });
    }
  }

  // Fills in the checkout on the page with a card, and pays.
  async pay(number) {
    for (const [name, text] of Object.entries(card("ada@example.com", "Ada", number))) {
      if (await this.page.$(`input[name=${name}]`)) await this.type(`input[name=${name}]`, text);
    }
    await this.follow("#submit");
  }

  // Sends the form of a registration.
  async signUp(email, name) {
    if (name) await this.type("#f-name", name);
    await this.#enter("Sign up", email);
  }

  // Sends the form of a login.
  async logIn(email) {
    await this.#enter("Log in", email);
  }

  async #enter(button, email) {
    await this.type("#f-email", email);
    await this.type("#f-password", PASSWORD);
    await this.followText(button, "main button");
  }

  // Opens the link of an account that waits for its password, and sets it.
  async claim(link) {
    await this.goto(link);
    await this.type("#f-password", PASSWORD);
    await this.followText("Save the password");
  }

  async type(selector, text) {
    await this.awaits(selector, this.page.waitForSelector(selector));
    await this.page.$eval(selector, (input) => (input.value = ""));
    await this.page.type(selector, text);
  }

  // Clicks, and waits until another page is loaded.
  async follow(selector) {
    // A locator finds the element anew if the page replaces it meanwhile.
    await this.awaits(selector, Promise.all([this.page.waitForNavigation({ waitUntil: "load" }), this.page.locator(selector).click()]));
  }

  // Opens a `<details>`, fills in its form and sends it, in the same moment: an event may show the part of the page anew.
  async confirm(button, selector = "main", fields = {}) {
    await this.page.waitForSelector(`${selector} details button`);
    const sent = this.page.waitForNavigation({ waitUntil: "load" });
    const clicked = this.page.$$eval(
      `${selector} details button`,
      (buttons, wanted, typed) => {
        const found = buttons.find(({ textContent }) => textContent.trim() === wanted);
        found.closest("details").open = true;
        for (const [name, text] of Object.entries(typed)) found.form.elements[name].value = text;
        found.click();
      },
      button,
      fields,
    );
    await this.awaits(`${button} in ${selector}`, Promise.all([sent, clicked]));
  }

  async followText(text, tag = "button") {
    await this.follow(`${tag} ::-p-text(${text})`);
  }

  // Notes a state of the pages: what axe says of it, in both schemes and at both widths.
  async state(name) {
    this.told.states.push(name);
    for (const scheme of isWhole ? ["light", "dark"] : ["light"]) {
      await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      for (const width of isWhole ? [1280, 360] : [360]) {
        await this.page.setViewport({ width, height: width === 360 ? 740 : 900 });
        const wide = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) this.told.serious.push({ name, scheme, width, id: "page-wider-than-the-window", nodes: [`${wide} px`] });
        await this.page.evaluate(axe);
        const found = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"], preload: false }));
        for (const violation of found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
          this.told.serious.push({ name, scheme, width, id: violation.id, nodes: violation.nodes.map(({ html }) => html.slice(0, 200)) });
        }
        if (process.env.SHOTS) {
          mkdirSync(process.env.SHOTS, { recursive: true });
          await this.page.screenshot({ path: join(process.env.SHOTS, `${name}-${width}-${scheme}.png`), fullPage: true });
        }
      }
    }
    await this.page.emulateMediaFeatures([]);
    await this.page.setViewport({ width: 1280, height: 900 });
  }

  async end() {
    await this.browser.close();
    console.log(JSON.stringify(this.told));
  }
}
