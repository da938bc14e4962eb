"""`calls.py URL`: makes the calls of localstripe's README and of each of its endpoints to the sandbox instead.

Prints a line for each call of the README, with the answer, and then a line for each endpoint of localstripe that the sandbox lacks,
sorted.
"""

import base64
import importlib.metadata
import json
import re
import shlex
import sys
import urllib.error
import urllib.request

from localstripe.server import app

URL = sys.argv[1]
KEY = "Basic " + base64.b64encode(b"sk_test_12345:").decode()


def call(method, path, data=None):
    """The answer, or the error's message."""
    body = None if data is None else "&".join(data).encode()
    headers = {"Authorization": KEY, "Stripe-Version": "2020-08-27"}
    request = urllib.request.Request(URL + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]["message"]


def examples():
    """The calls in the README's `curl` commands to Stripe's API: method, path and the parameters, or None."""
    text = importlib.metadata.metadata("localstripe").get_payload().replace("\\\n", " ")
    for command in re.findall(r"^ curl (localhost:8420/v1/.+)$", text, re.MULTILINE):
        words = shlex.split(command)
        # A plan has no name of its own since 2018-02-05.
        data = [re.sub("^name=", "product[name]=", words[n + 1]) for n, word in enumerate(words) if word == "-d"]
        yield "POST" if data else "GET", words[0].removeprefix("localhost:8420").removesuffix(":"), data or None


def readme():
    made = None
    for method, path, data in examples():
        # The customer has another id here. Stripe wants a card for a subscription, and shows a customer's subscriptions if asked.
        here = [re.sub(r"\bcus_\w{14}\b", made or "", word) for word in [path, *(data or [])]]
        more = ["source=tok_visa"] if path == "/v1/customers" else ["expand[]=subscriptions"] if data is None else []
        if data is None:
            here[0] += "?" + more.pop()
        status, answer = call(method, here[0], data and here[1:] + more)
        if status == 200 and answer["object"] == "customer":
            made = answer["id"]
        print(f"readme {method} {path}:", answer["object"] if status == 200 else f"{status} {answer}")
    # The README ends with a customer with a subscription.
    plans = [item["price"]["id"] for one in answer["subscriptions"]["data"] for item in one["items"]["data"]]
    print(f"readme subscriptions of the customer: {plans}")


def endpoints():
    lines = set()
    for route in app.router.routes():
        path = re.sub(r"\{\w+\}", "{}", route.resource.canonical)
        if route.method == "HEAD":
            continue
        _, words = call(route.method, path.replace("{}", "unknown_1"), [] if route.method == "POST" else None)
        if isinstance(words, str) and words.startswith("Unrecognized request URL"):
            lines.add(f"missing {route.method} {path}")
    print("\n".join(sorted(lines)))


readme()
endpoints()
