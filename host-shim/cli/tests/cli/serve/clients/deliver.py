"""Signs deliveries with the official Python library and sends them: `deliver.py URL SECRET OTHER_SECRET < EVENT`.

Prints the status of each as JSON, by the event's id. The library has no public helper that signs, so this one uses the
function with which the library verifies.
"""

import json
import sys
import time
import urllib.error
import urllib.request

import stripe

URL, SECRET, OTHER = sys.argv[1:]
event = json.load(sys.stdin)
now = int(time.time())
statuses = {}


def deliver(name, secret=SECRET, timestamp=now, change=lambda body: body):
    payload = json.dumps({**event, "id": name}, indent=2)
    digest = stripe.WebhookSignature._compute_signature(f"{timestamp}.{payload}", secret)
    header = f"t={timestamp},v1={digest}"
    # The library itself accepts what it signed.
    stripe.WebhookSignature.verify_header(payload, header, secret)
    headers = {"Content-Type": "application/json", "Stripe-Signature": header}
    request = urllib.request.Request(URL, change(payload).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            statuses[name] = answer.status
    except urllib.error.HTTPError as error:
        statuses[name] = error.code


deliver("evt_python_good")
deliver("evt_python_tampered", change=lambda body: body.replace('"id"', '"ID"', 1))
deliver("evt_python_longer", change=lambda body: body + " ")
deliver("evt_python_other", secret=OTHER)
deliver("evt_python_old", timestamp=now - 600)
print(json.dumps(statuses))
