"""`compare.py URL`: compares dj-stripe's tables with the API, object by object and member by member."""

import json
import sys
import urllib.parse
import urllib.request

import django

django.setup()

from djstripe import models
from djstripe.settings import djstripe_settings

URL = sys.argv[1]


def get(path):
    headers = {"Authorization": "Bearer sk_test_compare", "Stripe-Version": djstripe_settings.STRIPE_API_VERSION}
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers)) as answer:
        return json.load(answer)


def listed(path, **form):
    """Returns all objects of a list, page by page."""
    found, more = [], True
    while more:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = get(f"{path}?{urllib.parse.urlencode({'limit': 100, **form, **after})}")
        found += page["data"]
        more = page["has_more"]
    return found


def below(path, parents):
    return [one for parent in parents for one in listed(path.format(parent["id"]))]


def expected():
    customers, invoices = listed("/v1/customers"), listed("/v1/invoices")
    # By default, the list omits cancelled subscriptions, and dj-stripe uses the default.
    subscriptions = listed("/v1/subscriptions")
    return {
        "Account": [get("/v1/account")],
        "BalanceTransaction": listed("/v1/balance_transactions"),
        "Card": below("/v1/customers/{}/sources", customers),
        "Charge": listed("/v1/charges"),
        "Customer": customers,
        "Dispute": listed("/v1/disputes"),
        "Event": listed("/v1/events"),
        "Invoice": invoices,
        "InvoiceItem": listed("/v1/invoiceitems"),
        "LineItem": below("/v1/invoices/{}/lines", invoices),
        "PaymentIntent": listed("/v1/payment_intents"),
        "PaymentMethod": below("/v1/customers/{}/payment_methods", customers),
        "Payout": listed("/v1/payouts"),
        "Price": listed("/v1/prices"),
        "Product": listed("/v1/products"),
        "Refund": listed("/v1/refunds"),
        "Session": listed("/v1/checkout/sessions"),
        "Subscription": subscriptions,
        "SubscriptionItem": [one for s in subscriptions for one in listed("/v1/subscription_items", subscription=s["id"])],
        "SubscriptionSchedule": listed("/v1/subscription_schedules"),
        "TaxRate": listed("/v1/tax_rates"),
        "WebhookEndpoint": listed("/v1/webhook_endpoints"),
    }


def differences(name, objects):
    rows = {row.id: row.stripe_data for row in getattr(models, name).objects.all()}
    for one in objects:
        row = rows.get(one["id"])
        if row is None:
            yield f"{name} {one['id']} is lost"
            continue
        # Members that hold objects may be expanded in the row.
        plain = [key for key, value in one.items() if not isinstance(value, (dict, list)) and not isinstance(row.get(key), dict)]
        yield from (
            f"{name} {one['id']}.{key}: {row.get(key)!r} for {one[key]!r}" for key in plain if row.get(key) != one[key]
        )


def main():
    wanted = expected()
    empty = [name for name, objects in wanted.items() if not objects]
    wrong = [words for name, objects in wanted.items() for words in differences(name, objects)]
    if empty or wrong:
        raise SystemExit(f"nothing to compare: {empty}; {len(wrong)} differences:\n" + "\n".join(wrong[:40]))
    print("dj-stripe: nothing lost: " + ", ".join(f"{len(objects)} {name}" for name, objects in wanted.items()))


main()
