"""Plays a story with the official Python library: `story.py URL`. Exits with 0 if all checks pass."""

import http.server
import queue
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import stripe

URL = sys.argv[1]
client = stripe.StripeClient("sk_test_python_story", base_addresses={"api": URL})
received = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put((body, self.headers["stripe-signature"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def pay_through_page(url, number):
    """Submits the form of the checkout page; returns the status and the redirect target."""
    form = {"number": number, "expiry": "12 / 34", "cvc": "123", "email": "python@example.com", "name": "Python"}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode())
    try:
        with urllib.request.build_opener(NoRedirect).open(request) as answer:
            return answer.status, None
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("location")


def expect(condition, words):
    if not condition:
        raise SystemExit(f"story.py: {words}")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = client.v1.webhook_endpoints.create(
        {"url": f"http://127.0.0.1:{server.server_port}/", "enabled_events": ["*"]}
    )

    customer = client.v1.customers.create({"email": "python@example.com", "metadata": {"account": "1"}})
    product = client.v1.products.create({"name": "Pro"})
    pro, team = (
        client.v1.prices.create(
            {"product": product.id, "currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
        )
        for amount in (2000, 5000)
    )

    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": pro.id, "quantity": 1}],
            "success_url": "http://shop.test/ok?session={CHECKOUT_SESSION_ID}",
        }
    )
    expect(pay_through_page(session.url, "4000000000000002") == (402, None), "a declined card is refused on the page")
    paid = pay_through_page(session.url, "4242424242424242")
    expect(paid == (303, f"http://shop.test/ok?session={session.id}"), f"the page leads on, not {paid}")
    session = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    subscription = session.subscription
    expect((session.payment_status, subscription.status) == ("paid", "active"), "the subscription is active")

    item = subscription["items"].data[0]
    upgraded = client.v1.subscriptions.update(
        subscription.id,
        {"items": [{"id": item.id, "price": team.id}], "proration_behavior": "always_invoice", "expand": ["latest_invoice"]},
    )
    expect(upgraded["items"].data[0].price.id == team.id, "the plan changed")
    expect(upgraded.latest_invoice.amount_paid == 3000, "the difference was paid")

    payments = client.v1.invoice_payments.list({"invoice": upgraded.latest_invoice.id})
    refund = client.v1.refunds.create({"payment_intent": payments.data[0].payment.payment_intent, "amount": 1000})
    expect((refund.status, refund.amount) == ("succeeded", 1000), "a part was refunded")

    cancelled = client.v1.subscriptions.cancel(subscription.id)
    expect(cancelled.status == "canceled", "the subscription ended")

    made = [client.v1.customers.create({"name": f"page {n}"}).id for n in range(25)]
    listed = [c.id for c in client.v1.customers.list({"limit": 10}).auto_paging_iter()]
    expect(listed == [*reversed(made), customer.id], "auto-paging sees each customer once")

    options = {"idempotency_key": "python-story"}
    first = client.v1.customers.create({"name": "once"}, options)
    again = client.v1.customers.create({"name": "once"}, options)
    expect(first.id == again.id, "an idempotent retry makes nothing new")

    failures = [
        (stripe.IdempotencyError, lambda: client.v1.customers.create({"name": "other"}, options)),
        (stripe.InvalidRequestError, lambda: client.v1.customers.retrieve("cus_none")),
        (stripe.CardError, lambda: client.v1.payment_intents.create(
            {"amount": 500, "currency": "usd", "confirm": True, "payment_method": "pm_card_chargeDeclined"})),
        (stripe.AuthenticationError, lambda: stripe.StripeClient(
            "sk_live_wrong", base_addresses={"api": URL}).v1.customers.list()),
    ]
    for wanted, call in failures:
        try:
            call()
        except wanted:
            continue
        raise SystemExit(f"story.py: no {wanted.__name__}")

    wanted = {"checkout.session.completed", "customer.subscription.created", "customer.subscription.updated",
              "invoice.paid", "charge.refunded", "customer.subscription.deleted", "payment_intent.payment_failed"}
    count = 0
    while wanted:
        body, signature = received.get(timeout=20)
        event = stripe.Webhook.construct_event(body, signature, endpoint.secret)
        wanted.discard(event.type)
        count += 1
    try:
        stripe.Webhook.construct_event(body + b" ", signature, endpoint.secret)
        raise SystemExit("story.py: a changed body passed")
    except stripe.SignatureVerificationError:
        pass
    print(f"story.py: all checks passed, {count} webhooks verified")


main()
