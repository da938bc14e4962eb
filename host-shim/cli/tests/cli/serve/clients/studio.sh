#!/usr/bin/env bash
# A user of Tesslate Studio with nothing but curl: a registration, a checkout that is paid at the local Stripe, a project that is deployed,
# and a plan that is cancelled. The argument is the address of the server.
set -euo pipefail
server=$1

# Sends a request with the user's token: METHOD PATH [BODY].
ask() {
  curl --silent --show-error --fail-with-body --request "$1" "$server$2" ${token:+--header "Authorization: Bearer $token"} ${3:+--data "$3"}
}
# Prints the first member with this name whose value is a text.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
# Asks until the answer contains a text: PATH TEXT.
until_contains() {
  for _ in $(seq 100); do
    if answer=$(ask GET "$1") && [[ $answer == *"$2"* ]]; then return; fi
    sleep 0.1
  done
  echo "no $2 at $1: $answer" >&2
  exit 1
}

token=$(ask POST /api/auth/register '{"email": "ada@example.com", "password": "correct horse battery"}' | field token)
until_contains /api/billing/subscription '"tier":"free"'

checkout=$(ask POST /api/billing/subscribe | field checkout_url)
curl --silent --show-error --fail --output /dev/null "$checkout" \
  --data 'email=ada@example.com' --data 'number=4242424242424242' --data-urlencode 'expiry=12 / 40' --data 'cvc=123' --data 'name=Ada'
until_contains /api/billing/subscription '"tier":"premium"'

ask POST /api/projects '{"name": "One", "slug": "one"}' > /dev/null
ask POST /api/projects/one/deploy > /dev/null
until_contains /api/projects/deployment/limits '"deployed":1'

ask POST /api/billing/cancel > /dev/null
until_contains /api/billing/subscription '"cancel_at_period_end":true'
echo "a user bought and cancelled a plan, and a project runs"
