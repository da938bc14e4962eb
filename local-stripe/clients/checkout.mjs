// Tests the checkout page in Chromium: `checkout.mjs URL CHROMIUM`. Success, decline, 3-D Secure failed and passed, cancel.

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';

const { chromium } = createRequire(`${process.env.NODE_CLIENTS}/`)('playwright-core');
const [url, executablePath] = process.argv.slice(2);

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

async function open(mode) {
  const product = await call('POST', '/v1/products', { name: 'Pro' });
  const recurring = mode === 'subscription' ? { 'recurring[interval]': 'month' } : {};
  const price = await call('POST', '/v1/prices', { product: product.id, currency: 'usd', unit_amount: 2000, ...recurring });
  return call('POST', '/v1/checkout/sessions', {
    mode,
    'line_items[0][price]': price.id,
    'line_items[0][quantity]': 1,
    success_url: `${shopUrl}/ok?session={CHECKOUT_SESSION_ID}`,
    cancel_url: `${shopUrl}/cancelled`,
  });
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage();

async function fill(number) {
  await page.fill('#email', 'browser@example.com');
  await page.fill('#cardNumber', number);
  await page.fill('#cardExpiry', '12 / 34');
  await page.fill('#cardCvc', '123');
  await page.fill('#billingName', 'Browser');
  await page.click('#submit');
}

try {
  for (const mode of ['payment', 'subscription']) {
    const session = await open(mode);
    await page.goto(session.url);
    assert.match(await page.innerText('.sandbox'), /Local sandbox/);
    assert.equal(await page.innerText('#total'), '$20.00');
    await fill('4000 0000 0000 0002');
    assert.equal(await page.innerText('#error'), 'Your card was declined.');
    await fill('4242 4242 4242 4242');
    assert.equal(await page.innerText('#shop'), '/ok');
    assert.equal(new URL(page.url()).searchParams.get('session'), session.id);
    assert.equal((await call('GET', `/v1/checkout/sessions/${session.id}`)).status, 'complete');

    const secured = await open(mode);
    await page.goto(secured.url);
    await fill('4000 0025 0000 3155');
    await page.click('#fail');
    assert.match(await page.innerText('#error'), /unable to authenticate/);
    await fill('4000 0025 0000 3155');
    await page.click('#complete');
    assert.equal(await page.innerText('#shop'), '/ok');
    assert.equal((await call('GET', `/v1/checkout/sessions/${secured.id}`)).payment_status, 'paid');

    const left = await open(mode);
    await page.goto(left.url);
    await page.click('#cancel');
    assert.equal(await page.innerText('#shop'), '/cancelled');
    assert.equal((await call('GET', `/v1/checkout/sessions/${left.id}`)).status, 'open');
  }
  console.log('checkout.mjs: both modes paid, declined, authenticated and left');
} finally {
  await browser.close();
  shop.close();
}
process.exit(0);
