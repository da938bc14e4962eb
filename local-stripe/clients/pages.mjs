// Tests all pages in Chromium: `pages.mjs URL CHROMIUM [IMAGES]`. Two widths, light and dark: axe-core finds no problem,
// nothing is wider than the screen or loaded from another host. Then by keyboard alone, and without scripts.
// Writes screenshots to the folder IMAGES, if given.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(`${process.env.NODE_CLIENTS}/`);
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [url, executablePath, images] = process.argv.slice(2);

const shop = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(`<h1 id="shop">${request.url.split('?')[0]}</h1>`);
});
await new Promise((done) => shop.listen(0, '127.0.0.1', done));
const shopUrl = `http://127.0.0.1:${shop.address().port}`;

async function call(method, path, form) {
  const headers = { authorization: 'Bearer sk_test_browser' };
  const answer = await fetch(url + path, { method, headers, body: form && new URLSearchParams(form) });
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
}
const post = (path, form) => call('POST', path, form);

await post('/_sandbox/settings', { business_name: 'Bergkaffee', brand_colour: '#0f766e' });

async function price(name, unit, interval) {
  const product = await post('/v1/products', { name });
  const recurring = interval ? { 'recurring[interval]': interval } : {};
  return (await post('/v1/prices', { product: product.id, currency: 'usd', unit_amount: unit, ...recurring })).id;
}
const [club, family] = [
  await price('Coffee Club', 2000, 'month'),
  await price('Coffee Club Family', 3400, 'month'),
];
await price('Coffee Club, a year ahead', 20000, 'year');
const [grinder, beans] = [await price('Hand grinder', 8900), await price('House blend, 500 g', 1450)];

await post('/v1/coupons', { id: 'TENTH', percent_off: 10, duration: 'once' });
await post('/v1/promotion_codes', { coupon: 'TENTH', code: 'WELCOME' });

function checkout(mode, lines, more = {}) {
  const form = { mode, success_url: `${shopUrl}/ok`, cancel_url: `${shopUrl}/left`, ...more };
  lines.forEach(([id, quantity], n) => {
    form[`line_items[${n}][price]`] = id;
    form[`line_items[${n}][quantity]`] = quantity;
  });
  return post('/v1/checkout/sessions', form);
}

async function subscriber() {
  const card = 'pm_card_visa';
  const customer = await post('/v1/customers', {
    email: 'buyer@example.com',
    payment_method: card,
    'invoice_settings[default_payment_method]': card,
  });
  const subscription = await post('/v1/subscriptions', { customer: customer.id, 'items[0][price]': club });
  return { customer: customer.id, subscription };
}
const portal = ({ customer }) => post('/v1/billing_portal/sessions', { customer, return_url: `${shopUrl}/account` });

async function fill(page, number) {
  if (await page.locator('#email').count()) await page.fill('#email', 'buyer@example.com');
  await page.fill('#cardNumber', '');
  await page.locator('#cardNumber').pressSequentially(number);
  await page.fill('#cardExpiry', '');
  await page.locator('#cardExpiry').pressSequentially('1234');
  await page.fill('#cardCvc', '123');
  await page.fill('#billingName', 'Card Holder');
}

async function pay(page, number) {
  await fill(page, number);
  await page.click('#submit');
}

const trial = { 'subscription_data[trial_period_days]': 14 };

// The views: name, and how to open it.
const views = [
  ['checkout', async (page) => page.goto((await checkout('subscription', [[club, 2]])).url)],
  ['checkout-trial', async (page) => page.goto((await checkout('subscription', [[club, 1], [grinder, 1]], trial)).url)],
  ['checkout-payment', async (page) => page.goto((await checkout('payment', [[grinder, 1], [beans, 3]])).url)],
  ['checkout-code', async (page) => {
    await page.goto((await checkout('payment', [[beans, 2]], { allow_promotion_codes: true })).url);
    await page.fill('#code', 'welcome');
    await page.click('#applyCode');
    assert.equal(await page.innerText('#total'), '$26.10');
  }],
  ['checkout-setup', async (page) => page.goto((await checkout('setup', [])).url)],
  ['checkout-without-card', async (page) => {
    const more = { ...trial, payment_method_collection: 'if_required' };
    await page.goto((await checkout('subscription', [[club, 1]], more)).url);
  }],
  ['onboarding', async (page) => {
    const account = await post('/v1/accounts', { type: 'express' });
    await page.goto((await post('/v1/account_links', { account: account.id, type: 'account_onboarding' })).url);
  }],
  ['checkout-declined', async (page) => {
    await page.goto((await checkout('subscription', [[club, 1]], trial)).url);
    await pay(page, '4000000000000002');
    assert.equal(await page.innerText('#error'), 'Your card was declined.');
    assert.equal(await page.inputValue('#cardNumber'), '4000 0000 0000 0002');
    assert.equal(await page.inputValue('#cardExpiry'), '12 / 34');
    assert.equal(await page.inputValue('#billingName'), 'Card Holder');
    assert.equal(await page.inputValue('#cardCvc'), '');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'cardNumber');
  }],
  ['challenge', async (page) => {
    await page.goto((await checkout('payment', [[beans, 2]])).url);
    await pay(page, '4000002500003155');
    await page.waitForSelector('#complete');
  }],
  ['complete', async (page) => {
    const form = { mode: 'payment', ui_mode: 'hosted_page', 'line_items[0][price]': beans, 'line_items[0][quantity]': 1 };
    await page.goto((await post('/v1/checkout/sessions', form)).url);
    await pay(page, '4242424242424242');
    assert.equal(await page.innerText('#status'), 'Payment complete');
  }],
  ['over', async (page) => {
    const session = await checkout('payment', [[beans, 1]]);
    await post(`/v1/checkout/sessions/${session.id}/expire`);
    await page.goto(`${url}/c/pay/${session.id}`);
  }],
  ['portal', async (page) => page.goto((await portal(await subscriber())).url)],
  ['portal-plans', async (page) => {
    await page.goto((await portal(await subscriber())).url);
    await page.click('#change');
    await page.waitForSelector('.offers');
  }],
  ['portal-preview', async (page) => {
    const { url: start } = await portal(await subscriber());
    await page.goto(start);
    await page.click('#change');
    await page.click('.offers a >> nth=0');
    assert.match(await page.innerText('#submit'), /Pay \$14\.00 and change plan/);
  }],
  ['portal-cancel', async (page) => {
    await page.goto((await portal(await subscriber())).url);
    await page.click('#end');
    await page.waitForSelector('fieldset');
  }],
  ['portal-cancelled', async (page) => {
    await page.goto((await portal(await subscriber())).url);
    await page.click('#end');
    await page.click('text=I don’t use it enough');
    await page.click('#submit');
    assert.equal(await page.innerText('#notice'), 'Your plan was cancelled.');
    await page.waitForSelector('#resume');
  }],
  ['portal-card', async (page) => {
    await page.goto((await portal(await subscriber())).url);
    await page.click('#card');
    await pay(page, '4000000000000002');
    await page.waitForSelector('#error');
  }],
  ['invoice', async (page) => {
    const { subscription } = await subscriber();
    await page.goto((await call('GET', `/v1/invoices/${subscription.latest_invoice}`)).hosted_invoice_url);
  }],
  ['invoice-open', async (page) => {
    const { id: customer } = await post('/v1/customers', { email: 'buyer@example.com' });
    await post('/v1/invoiceitems', { customer, amount: 4200, currency: 'usd', description: 'Tasting for six' });
    const form = { customer, collection_method: 'send_invoice', days_until_due: 14, pending_invoice_items_behavior: 'include' };
    const draft = await post('/v1/invoices', form);
    await page.goto((await post(`/v1/invoices/${draft.id}/finalize`)).hosted_invoice_url);
    await page.waitForSelector('#submit');
  }],
  ['receipt', async (page) => {
    const { customer } = await subscriber();
    await page.goto((await call('GET', `/v1/charges?customer=${customer}`)).data[0].receipt_url);
  }],
  ['missing', async (page) => page.goto(`${url}/c/pay/cs_test_none`)],
];

// The screenshots of the documentation: view, width, scheme.
const shown = new Set([
  'checkout-trial-1280-light', 'checkout-trial-390-light', 'checkout-declined-390-dark', 'checkout-payment-1280-dark',
  'challenge-390-light', 'portal-1280-light', 'portal-390-light', 'portal-preview-1280-light', 'portal-cancelled-390-dark',
  'invoice-1280-light', 'invoice-open-390-light',
]);

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

async function open(options) {
  const context = await browser.newContext({ deviceScaleFactor: 1, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults = [];
  page.on('request', (r) => {
    if (![url, shopUrl].some((own) => r.url().startsWith(own))) faults.push(`asked for ${r.url()}`);
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (m) => {
    if (/Content Security Policy/.test(m.text())) faults.push(m.text());
  });
  return { context, page, faults };
}

async function check(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`);
  assert.deepEqual(found, [], `axe-core in ${name}`);
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= screen, `${name} is ${wide} wide on a screen of ${screen}`);
}

// The ids or texts of the elements that the tab key reaches.
async function tabs(page) {
  const reached = [];
  for (let n = 0; n < 40; n += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const here = document.activeElement;
      return here === document.body ? null : here.id || here.textContent.trim();
    });
    if (at === null || reached.includes(at)) return reached;
    reached.push(at);
  }
  return reached;
}

try {
  let count = 0;
  for (const [width, height] of [[390, 844], [1280, 800]]) {
    for (const colorScheme of ['light', 'dark']) {
      for (const [view, go] of views) {
        const name = `${view}-${width}-${colorScheme}`;
        const { context, page, faults } = await open({ viewport: { width, height }, colorScheme });
        await go(page);
        await check(page, name);
        assert.deepEqual(faults, [], name);
        if (images && (shown.has(name) || process.env.ALL_SCREENSHOTS)) {
          await page.evaluate(() => document.activeElement.blur());
          await page.screenshot({ path: path.join(images, `${name}.png`), fullPage: true, animations: 'disabled' });
        }
        await context.close();
        count += 1;
      }
    }
  }

  // Colours with low contrast to text.
  for (const brand_colour of ['#ffd60a', '#777777', '#000000', '#ffffff']) {
    await post('/_sandbox/settings', { brand_colour });
    for (const colorScheme of ['light', 'dark']) {
      const { context, page } = await open({ colorScheme });
      await page.goto((await portal(await subscriber())).url);
      await check(page, `portal in ${brand_colour}, ${colorScheme}`);
      await context.close();
      count += 1;
    }
  }

  const { page, context } = await open({ viewport: { width: 1280, height: 800 } });
  const session = await checkout('subscription', [[club, 1]]);
  await page.goto(session.url);
  const order = ['cancel', 'email', 'cardNumber', 'cardExpiry', 'cardCvc', 'billingName', 'submit'];
  assert.deepEqual(await tabs(page), order);
  await page.goto(session.url);
  for (const typed of [null, 'keys@example.com', '4242424242424242', '1234', '123', 'Card Holder']) {
    await page.keyboard.press('Tab');
    if (typed) await page.keyboard.type(typed);
  }
  assert.equal(await page.inputValue('#cardNumber'), '4242 4242 4242 4242');
  assert.equal(await page.inputValue('#cardExpiry'), '12 / 34');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#shop');
  assert.equal((await call('GET', `/v1/checkout/sessions/${session.id}`)).status, 'complete');

  // After correcting a digit in the middle, the caret stays behind it.
  await page.goto((await checkout('subscription', [[club, 1]])).url);
  await page.locator('#cardNumber').pressSequentially('424242424242424');
  await page.evaluate(() => document.getElementById('cardNumber').setSelectionRange(2, 2));
  await page.keyboard.type('9');
  const number = await page.evaluate(() => [document.getElementById('cardNumber').value, document.getElementById('cardNumber').selectionStart]);
  assert.deepEqual(number, ['4294 2424 2424 2424', 3]);
  await page.fill('#cardNumber', '378282246310005');
  assert.equal(await page.inputValue('#cardNumber'), '3782 822463 10005');

  const member = await subscriber();
  await page.goto((await portal(member)).url);
  const reached = await tabs(page);
  assert.deepEqual(reached.slice(0, 4), ['return', 'change', 'end', 'card']);
  assert.equal(reached.length, 5, `the invoice as well: ${reached}`);
  await page.focus('#change');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.offers');
  await page.focus('.offers a >> nth=0');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#submit');
  await page.focus('#submit');
  await page.keyboard.press('Enter');
  assert.equal(await page.innerText('#notice'), 'Your plan was changed.');
  const changed = await call('GET', `/v1/subscriptions/${member.subscription.id}`);
  assert.equal(changed.items.data[0].price.id, family);
  await context.close();

  const plain = await open({ javaScriptEnabled: false });
  const unscripted = await checkout('payment', [[beans, 1]]);
  await plain.page.goto(unscripted.url);
  await pay(plain.page, '4242424242424242');
  await plain.page.waitForSelector('#shop');
  assert.equal((await call('GET', `/v1/checkout/sessions/${unscripted.id}`)).status, 'complete');
  console.log(`pages.mjs: axe-core found nothing in ${count} views; paid by keyboard alone, and without a script`);
} finally {
  await browser.close();
  shop.close();
}
process.exit(0);
