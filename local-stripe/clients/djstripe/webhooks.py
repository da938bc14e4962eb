"""`webhooks.py COUNT`: checks that the view processed COUNT events, each once and without an exception."""

import sys
import time

import django

django.setup()

from djstripe.models import Event, WebhookEventTrigger

WAIT_S = 120


def main():
    wanted, until = int(sys.argv[1]), time.monotonic() + WAIT_S
    while WebhookEventTrigger.objects.count() < wanted or WebhookEventTrigger.objects.filter(
        processed=False, exception=""
    ).exists():
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    failed = [f"{t.json_body.get('type')}: {t.exception}" for t in WebhookEventTrigger.objects.exclude(exception="")]
    unprocessed = WebhookEventTrigger.objects.filter(processed=False).count()
    counts = {"triggers": WebhookEventTrigger.objects.count(), "events": Event.objects.count()}
    if failed or unprocessed or set(counts.values()) != {wanted}:
        raise SystemExit(f"expected {wanted}, got {counts}, {unprocessed} not processed, exceptions: {failed}")
    print(f"dj-stripe: {wanted} webhooks processed")


main()
