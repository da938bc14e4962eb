# Orchestra's databases, with the payloads of its description: its own site opens a checkout that names no user; once it is paid, a database is made,
# and the customer gets a mail with a link to the account; the application learns which database a host name has.
source "$(dirname "$0")/story.sh"

# The site opens a checkout at Stripe: SUBDOMAIN EMAIL. Prints its address.
checkout() {
  curl --silent --show-error --fail-with-body "$stripe/v1/checkout/sessions" --user sk_test_site: \
    --data mode=subscription --data 'line_items[0][price]=price_orchestra_pro' --data 'line_items[0][quantity]=1' \
    --data-urlencode "customer_email=$2" --data-urlencode 'metadata[orchestraName]=City Philharmonic' \
    --data "metadata[subdomain]=$1" --data 'metadata[plan]=pro' --data-urlencode success_url=https://stagesub.com/welcome |
    sed -n 's/.*"url": "\([^"]*\)".*/\1/p'
}

same "a webhook that Stripe has not signed" "$(curl --silent --header 'stripe-signature: t=1,v1=00' --data '{}' "$server/api/webhooks/stripe")" \
  'Webhook Error'
token=$operator
same "a host before anybody has paid" "$(status GET /api/hosts/city)" 404
pay "$(checkout city office@city.example)" office@city.example
until_contains /api/hosts/City '"status":"running"'
contains "$answer" '"url":"https://city.stagesub.com"'
contains "$answer" '"database_secret_ref":"secret:'
same "a host that nobody has" "$(status GET /api/hosts/village)" 404
until_mailed 'https://city.stagesub.com/login'
until_mailed "/auth/claim?token="

# The subdomain is given once. Who pays for it again, the same customer or another, waits for a person, and the first orchestra stays.
pay "$(checkout city office@city.example)" office@city.example
pay "$(checkout city office@town.example)" office@town.example
until_mailed 'subdomain:city'
contains "$(ask GET /api/hosts/city)" '"status":"running"'
echo "an orchestra has its database"
