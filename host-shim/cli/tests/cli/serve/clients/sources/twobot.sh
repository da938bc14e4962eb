# 2Bot's workspaces, with the payloads of its description: a user buys an add-on by the month and gets its compute and unlimited executions; the
# owner of an organization buys a plan and a booster for its pool; what is owned is not sold again.
source "$(dirname "$0")/story.sh"

register ada@example.com
contains "$(ask GET /api/queries/entitlements)" '"allowed":500,"ends_at":null,"key":"executions"'
addon='{"tier": "MICRO", "interval": "month"}'
pay "$(ask POST /api/billing/workspace-addon "$addon" | field checkout_url)" ada@example.com
until_contains /api/queries/entitlements '"allowed":1024,'
contains "$answer" '"allowed":-1,"ends_at":null,"key":"executions"'
same "the same add-on again" "$(status POST /api/billing/workspace-addon "$addon")" 409
same "an unknown tier" "$(status POST /api/billing/workspace-addon '{"tier": "HUGE", "interval": "month"}')" 422
contains "$(ask GET '/api/queries/list?kind=subscriptions')" '"status":"active"'

prove ada@example.com
organization=$(ask POST /api/auth/organizations '{"name": "Acme"}' | field id)
of="account=organization:$organization"
booster="{\"organization\": \"$organization\", \"booster_id\": \"ORG_MEDIUM\", \"interval\": \"year\"}"
same "a booster on the free plan" "$(status POST /api/billing/org-workspace-booster "$booster")" 403
plan=$(ask POST "/api/commands/purchase.create?$of" '{"product_type": "organization_plan", "item": "ORG_GROWTH"}')
pay "$(field checkout_url <<< "$plan")" ada@example.com
until_contains "/api/queries/entitlements?$of" '"allowed":8192,'
paid=$(ask POST /api/billing/org-workspace-booster "$booster" | field checkout_url)
# What Stripe was asked for: the customer, the item, the metadata on the session and the addresses to return to.
at_stripe=$(last_checkout)
contains "$at_stripe" '"mode":"subscription"'
contains "$at_stripe" '"customer":"cus_'
contains "$at_stripe" '"booster_id":"ORG_MEDIUM"'
contains "$at_stripe" "\"organization_id\":\"$organization\""
back='/dashboard/settings/organization/billing/workspace'
contains "$at_stripe" "$back?success=true\""
contains "$at_stripe" "$back?canceled=true\""
pay "$paid" ada@example.com
until_contains "/api/queries/entitlements?$of" '"allowed":16384,'
contains "$answer" '"allowed":174080,'

register bob@example.com
same "the pool of others" "$(status GET "/api/queries/entitlements?$of")" 403
echo "an add-on, a plan and a booster were bought"
