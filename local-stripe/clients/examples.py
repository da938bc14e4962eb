"""`examples.py URL TESTS`: sends the examples of Stripe's reference, which the sources of its Python library carry in the folder
TESTS, to the sandbox, and prints what it answers to them.

The examples were written for stripe-mock, and their ids are invented: for most of them, the right answer is that there is no such
object. Prints a line for each endpoint that the sandbox lacks, `missing METHOD PATH`, and for each example that it refuses for another
reason, `refused METHOD PATH: MESSAGE`, sorted. Counts all answers on stderr.
"""

import collections
import importlib.util
import inspect
import io
import json
import pathlib
import re
import sys
import types

import stripe
from stripe._http_client import RequestsClient

URL, TESTS = sys.argv[1], pathlib.Path(sys.argv[2])
STRIPE = re.compile(r"https://[\w-]+\.stripe\.com")

# The answers by request: the variants of an example make the same one, which is sent once.
answers = {}


class Client(RequestsClient):
    """Sends what is meant for Stripe to the sandbox, and keeps the answers."""

    calls = 0

    def request(self, method, url, headers, post_data=None):
        self.calls += 1
        request = method.upper(), STRIPE.sub("", url, count=1), post_data
        if request not in answers:
            answers[request] = super().request(method, URL + request[1], headers, post_data)
        return answers[request]

    def request_stream(self, method, url, headers, post_data=None):
        body, status, more = self.request(method, url, headers, post_data)
        return io.BytesIO(body), status, more


class Sandbox:
    """Takes the place of the examples' mock of a client. They say which request they expect, which the library's own tests check."""

    def __init__(self):
        self.client = Client()

    def get_mock_http_client(self):
        return self.client

    def stub_request(self, *_, **__):
        pass

    assert_requested = stub_request


def examples():
    """The class of the examples. Nothing else of their test framework is needed."""
    pytest, mock = types.ModuleType("pytest"), types.ModuleType("tests.http_client_mock")
    pytest.mark = types.SimpleNamespace(anyio=lambda function: function)
    mock.HTTPClientMock = Sandbox
    sys.modules |= {"pytest": pytest, "tests": types.ModuleType("tests"), "tests.http_client_mock": mock}
    spec = importlib.util.spec_from_file_location("examples", TESTS / "test_generated_examples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TestGeneratedExamples


def template(path):
    """The path without invented ids."""
    return re.sub(r"/(\w+_(x{5,}|xyz|123)\w*|id_\w+|example_\w+|balance\.summary\.1)(?=/|$)", "/{}", path)


def kind(status, error):
    if status == 200:
        return "answered"
    if error.get("message", "").startswith("Unrecognized request URL"):
        return "missing"
    invented = error.get("code") in ("resource_missing", "account_invalid")
    return "unknown object" if invented else "refused"


def main():
    stripe.api_key, stripe.max_network_retries, stripe.enable_telemetry = "sk_test_123", 0, False
    sandbox, made = Sandbox(), examples()
    stripe.default_http_client = sandbox.client
    for name, example in vars(made).items():
        # The asynchronous ones make the same calls.
        if name.startswith("test_") and not inspect.iscoroutinefunction(example):
            before = sandbox.client.calls
            try:
                example(made(), sandbox)
            except stripe.StripeError:
                pass
            assert sandbox.client.calls == before + 1, f"{name}: {sandbox.client.calls - before} calls"
    counts, lines = collections.Counter(), set()
    for (method, path, _), (body, status, _) in answers.items():
        path = path.split("?")[0]
        error = {} if status == 200 else json.loads(body)["error"]
        found = kind(status, error)
        counts[found] += 1
        if found == "missing":
            lines.add(f"missing {method} {template(path)}")
        elif found == "refused":
            lines.add(f"refused {method} {template(path)}: {error['message']}")
    print("\n".join(sorted(lines)))
    print(f"{sandbox.client.calls} examples, {len(answers)} requests: {dict(sorted(counts.items()))}", file=sys.stderr)


main()
