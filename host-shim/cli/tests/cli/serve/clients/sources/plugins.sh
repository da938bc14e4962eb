# A shop of docker images, with the payloads of its description: a user registers and is welcomed, subscribes to a product, and gets a token for a
# day that downloads this product alone; an administrator writes to the customers.
source "$(dirname "$0")/story.sh"

contains "$(ask GET /health)" '"status":"ok"'
register ada@example.com
until_mailed 'To: ada@example.com'
same "the address a second time" "$(token='' status POST /api/auth/register '{"email": "ada@example.com", "password": "correct horse battery"}')" 409
same "a token without a subscription" "$(status POST /api/docker/download-token '{"product_id": "prod_sample_editor"}')" 403
pay "$(ask POST /api/stripe/checkout '{"product_id": "prod_sample_editor", "interval": "month"}' | field checkout_url)" ada@example.com
until_contains /api/subscriptions/me '"product_id":"prod_sample_editor"'
contains "$answer" '"status":"active"'
until_mailed 'Your receipt from'

issued=$(ask POST /api/docker/download-token '{"product_id": "prod_sample_editor"}')
contains "$issued" '"image":"registry.example/sample-editor"'
same "a token for another product" "$(status POST /api/docker/download-token '{"product_id": "prod_sample_monitor"}')" 403
user=$token
token=$(field token <<< "$issued")
same "the token at another product" "$(status GET /api/docker/pull/prod_sample_monitor)" 403
token=$user
contains "$(ask GET /api/docker/downloads)" '"action":"token_issued"'
contains "$(ask GET /api/stripe/portal)" '"portal_url":"http'

# A file of the shop: the token gives an address, and the address the file, once and for a quarter of an hour.
put_object sample-files 'manuals/sample manual.pdf' 'the manual'
pay "$(ask POST /api/stripe/checkout '{"product_id": "prod_sample_manual", "interval": "month"}' | field checkout_url)" ada@example.com
until_contains /api/subscriptions/me '"product_id":"prod_sample_manual"'
token=$(ask POST /api/files/token '{"product_id": "prod_sample_manual"}' | field token)
address=$(ask GET /api/files/get/prod_sample_manual | field url)
same "the file" "$(curl --silent --show-error --fail "$address")" 'the manual'
same "the file without its signature" "$(curl --silent --output /dev/null --write-out '%{http_code}' "${address%%\?*}")" 403
token=$user

same "campaigns for users" "$(status GET /api/campaigns)" 403
token=$operator
contains "$(ask GET /api/admin/customers)" '"email":"ada@example.com"'
campaign=$(ask POST /api/campaigns '{"name": "November", "template": "news", "audience": {"product": "prod_sample_editor", "status": "active"}}' | field id)
contains "$(ask POST "/api/campaigns/$campaign/send" '{}')" '"recipients":1'
echo "a product was bought, a token issued, and a campaign sent"
