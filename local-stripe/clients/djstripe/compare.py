"""`compare.py URL ACCOUNT`: compares dj-stripe's tables with the API, object by object and member by member: the objects
of the platform, and those of a connected account."""

import json
import sys
import urllib.parse
import urllib.request

import django

django.setup()

from djstripe import models
from djstripe.settings import djstripe_settings

URL, CONNECTED = sys.argv[1:]


def get(path, account):
    headers = {"Authorization": "Bearer sk_test_compare", "Stripe-Version": djstripe_settings.STRIPE_API_VERSION}
    if account:
        headers["Stripe-Account"] = account
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers)) as answer:
        return json.load(answer)


def listed(path, account, **form):
    """Returns all objects of a list, page by page."""
    found, more = [], True
    while more:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = get(f"{path}?{urllib.parse.urlencode({'limit': 100, **form, **after})}", account)
        found += page["data"]
        more = page["has_more"]
    return found


def below(path, parents, account):
    return [one for parent in parents for one in listed(path.format(parent["id"]), account)]


def expected(account):
    def all_of(path):
        return listed(path, account)

    customers, invoices = all_of("/v1/customers"), all_of("/v1/invoices")
    # By default, the list omits cancelled subscriptions, and dj-stripe uses the default.
    subscriptions = all_of("/v1/subscriptions")
    return {
        "Account": [get("/v1/account", account)],
        "BalanceTransaction": all_of("/v1/balance_transactions"),
        "Card": below("/v1/customers/{}/sources", customers, account),
        "Charge": all_of("/v1/charges"),
        "Coupon": all_of("/v1/coupons"),
        "Customer": customers,
        "Dispute": all_of("/v1/disputes"),
        "Event": all_of("/v1/events"),
        "Invoice": invoices,
        "InvoiceItem": all_of("/v1/invoiceitems"),
        "LineItem": below("/v1/invoices/{}/lines", invoices, account),
        "PaymentIntent": all_of("/v1/payment_intents"),
        "PaymentMethod": below("/v1/customers/{}/payment_methods", customers, account),
        "Payout": all_of("/v1/payouts"),
        "Price": all_of("/v1/prices"),
        "Product": all_of("/v1/products"),
        "PromotionCode": all_of("/v1/promotion_codes"),
        "Refund": all_of("/v1/refunds"),
        "Session": all_of("/v1/checkout/sessions"),
        "Subscription": subscriptions,
        "SubscriptionItem": [one for s in subscriptions for one in listed("/v1/subscription_items", account, subscription=s["id"])],
        "SubscriptionSchedule": all_of("/v1/subscription_schedules"),
        "TaxRate": all_of("/v1/tax_rates"),
        "WebhookEndpoint": all_of("/v1/webhook_endpoints"),
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
    own, connected = expected(None), expected(CONNECTED)
    # A connected account has no endpoints.
    empty = [name for name in own if not own[name] or not connected[name] and name != "WebhookEndpoint"]
    wanted = {name: own[name] + connected[name] for name in own}
    wrong = [words for name, objects in wanted.items() for words in differences(name, objects)]
    if empty or wrong:
        raise SystemExit(f"nothing to compare: {empty}; {len(wrong)} differences:\n" + "\n".join(wrong[:40]))
    print("dj-stripe: nothing lost: " + ", ".join(f"{len(objects)} {name}" for name, objects in wanted.items()))


main()
