"""A minimal Django project with dj-stripe, as in its documentation."""

import os

SECRET_KEY = "for tests on this machine only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "djstripe"]
MIDDLEWARE = []
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DJSTRIPE_DATABASE"],
        # The server's threads write events while the test reads: with this, readers never wait, and writers wait
        # for each other as long as a busy machine needs.
        "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL", "timeout": 60, "transaction_mode": "IMMEDIATE"},
    }
}

STRIPE_LIVE_MODE = False
STRIPE_TEST_SECRET_KEY = "sk_test_" + "d" * 32
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
# dj-stripe's setting for a server other than Stripe's.
STRIPE_API_HOST = os.environ.get("STRIPE_API_HOST", "http://127.0.0.1:9")
