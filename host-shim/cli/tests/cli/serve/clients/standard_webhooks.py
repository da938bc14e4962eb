"""Verifies the message in the variable MESSAGE with the package `standardwebhooks`, and a changed one, which it must refuse."""

import json
import os

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

message = json.loads(os.environ["MESSAGE"])
webhook = Webhook(message["secret"])
webhook.verify(message["body"], message["headers"])
try:
    webhook.verify(message["body"].replace("subscription", "description"), message["headers"])
    print("verified accepted")
except WebhookVerificationError:
    print("verified refused")
