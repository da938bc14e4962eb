"""`endpoint.py BASE_URL` registers a webhook endpoint the way dj-stripe's admin form does."""

import sys

import django

django.setup()

from django.urls import reverse
from djstripe.models import WebhookEndpoint
from djstripe.settings import djstripe_settings

endpoint = WebhookEndpoint()
path = reverse("djstripe:djstripe_webhook_by_uuid", kwargs={"uuid": endpoint.djstripe_uuid})
created = WebhookEndpoint._api_create(
    url=sys.argv[1] + path,
    api_version=djstripe_settings.STRIPE_API_VERSION,
    enabled_events=["*"],
    metadata={"djstripe_uuid": str(endpoint.djstripe_uuid)},
    connect=False,
)
print(WebhookEndpoint.sync_from_stripe_data(created).url)
