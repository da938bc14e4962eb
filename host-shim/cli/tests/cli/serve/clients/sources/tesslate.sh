# Tesslate Studio, with the payloads of its description: a user registers on Free, deploys a project within its limits, buys credits, upgrades to
# Premium, deploys a second project, and cancels at the end of the period.
source "$(dirname "$0")/story.sh"

config=$(ask GET /api/billing/config)
contains "$config" '"premium_price":500'
contains "$config" '"credits":500'
if [[ $config == *sk_* ]]; then same "the configuration" "with a secret" "without one"; fi

register ada@example.com
until_contains /api/billing/subscription '"tier":"free"'
ask POST /api/projects '{"name": "One", "slug": "one"}' > /dev/null
same "a project beyond the limit" "$(status POST /api/projects '{"name": "Two", "slug": "two"}')" 403
same "a deployment of no project" "$(status POST /api/projects/nothing/deploy)" 404
ask POST /api/projects/one/deploy > /dev/null
until_contains /api/projects/deployment/limits '"deployed":1'

pay "$(ask POST /api/billing/credits/purchase '{"package": "small"}' | field checkout_url)" ada@example.com
until_contains /api/billing/credits '"credits":500'
same "an unknown pack" "$(status POST /api/billing/credits/purchase '{"package": "huge"}')" 422
contains "$(ask GET /api/billing/credits/history)" '500'

same "a slot on Free" "$(status POST /api/projects/deployment/purchase-slot)" 403
pay "$(ask POST /api/billing/subscribe | field checkout_url)" ada@example.com
until_contains /api/billing/subscription '"tier":"premium"'
same "a second subscription" "$(status POST /api/billing/subscribe)" 409
ask POST /api/projects '{"name": "Two", "slug": "two"}' > /dev/null
ask POST /api/projects/two/deploy > /dev/null
until_contains /api/projects/deployment/limits '"deployed":2'
contains "$(ask GET /api/billing/portal)" '"portal_url":"http'
contains "$(ask POST /api/billing/cancel)" '"cancel_at_period_end":true'
until_contains /api/billing/subscription '"cancel_at_period_end":true'
echo "a user bought credits and a plan, and two projects run"
