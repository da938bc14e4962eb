"""`endpoint.py SECRET`: records a webhook endpoint with this signing secret, and prints the path of its view."""

import sys

import django

django.setup()

from django.urls import reverse
from djstripe.models import WebhookEndpoint

endpoint = WebhookEndpoint.objects.create(
    id="we_bench",
    livemode=False,
    secret=sys.argv[1],
    url="http://127.0.0.1/",
    enabled_events=["*"],
    status="enabled",
)
print(reverse("djstripe:djstripe_webhook_by_uuid", kwargs={"uuid": endpoint.djstripe_uuid}))
