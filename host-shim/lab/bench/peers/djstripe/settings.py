"""A minimal Django project with dj-stripe, as in its documentation, on PostgreSQL."""

import os

SECRET_KEY = "for measurements on this machine only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "djstripe"]
MIDDLEWARE = []
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["PEER_SOCKET"],
        "PORT": os.environ["PEER_PORT"],
        "USER": "postgres",
        "NAME": os.environ["PEER_DATABASE"],
        # Without this, each request opens a connection.
        "CONN_MAX_AGE": None,
    }
}

STRIPE_LIVE_MODE = False
STRIPE_TEST_SECRET_KEY = "sk_test_" + "d" * 32
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
# dj-stripe's setting for a server other than Stripe's.
STRIPE_API_HOST = os.environ["STRIPE_API_HOST"]
