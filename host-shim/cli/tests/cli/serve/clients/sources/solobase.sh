# Solobase hosting, with the payloads of its description: an administrator makes a plan, a user buys it and creates an instance, which comes up;
# the user sees it, and nobody else does.
source "$(dirname "$0")/story.sh"

token=$operator
plan=$(ask POST /api/products '{
  "name": "Hobby Plan", "type": "subscription_plan", "price": 500, "billing_interval": "month",
  "features": {"max_instances": 1, "storage_gb": 2, "database_gb": 1, "api_requests_monthly": 1000000, "compute_tier": "lambda", "database_tier": "shared"}
}')
contains "$plan" '"stripe_product_id":"prod_'
contains "$plan" '"stripe_price_id":"price_'
contains "$plan" '"plan_tier":"hobby_plan"'
professional=$(ask POST /api/products '{
  "name": "Professional Plan", "price": 7900, "billing_interval": "month",
  "metadata": {"plan_tier": "professional_plan", "max_instances": 3, "storage_gb": 50, "database_gb": 20, "api_requests_monthly": 100000000,
    "compute_tier": "ecs", "database_tier": "shared"}
}')
contains "$professional" '"product_type":"subscription_plan"'
contains "$(token='' ask GET '/api/products?type=subscription_plan')" '"name":"Hobby Plan"'

register ada@example.com
order='{"product_type": "instance", "name": "My App", "metadata": {"subdomain": "myapp", "plan_id": "prod_hobby_plan", "status": "provisioning"}}'
same "an order without a plan" "$(status POST /api/products "$order")" 402
checkout=$(ask POST /api/products/prod_hobby_plan/purchase '{"payment_method": "stripe"}' | field checkout_url)
pay "$checkout" ada@example.com
until_contains '/api/queries/list?kind=purchases' '"status":"paid"'
contains "$(ask POST /api/products "$order")" '"status":"provisioning"'
until_contains '/api/products?type=instance' '"status":"running"'
contains "$answer" '"subdomain":"myapp"'
contains "$answer" '"b2_bucket":"solobase-myapp"'
# The server measures what the instance uses: not a whole GB yet.
until_contains '/api/products?type=instance' '"database_gb":0'
until_contains '/api/products?type=instance' '"storage_gb":0'
same "a second instance" "$(status POST /api/products "${order//myapp/shop}")" 409
# A simulated cloud runs no functions.
if [[ -z $cloud ]]; then
  contains "$(curl --silent --show-error --fail --location "$(field url <<< "$answer")")" '<html'
fi

register bob@example.com
contains "$(ask GET '/api/products?type=instance')" '"products":[]'
echo "a plan was made and bought, and its instance runs"
