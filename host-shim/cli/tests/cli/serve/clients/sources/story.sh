# What every story uses. The arguments are the address of the server, the key of its operator, its data folder, the address of the local
# Stripe, the folder in which mails arrive, and the address of a simulated cloud, if the providers use one.
set -Eeuo pipefail
trap 'echo "line $LINENO of $0: $BASH_COMMAND" >&2' ERR
server=$1
operator=$2
data=$3
stripe=$4
mails=$5
cloud=${6:-}

# Sends a request as the caller in `token`: METHOD PATH [BODY].
ask() {
  local answer
  if ! answer=$(curl --silent --show-error --fail-with-body --request "$1" "$server$2" ${token:+--header "Authorization: Bearer $token"} ${3:+--data "$3"}); then
    echo "$1 $2: $answer" >&2
    return 1
  fi
  echo "$answer"
}
# Prints the status of the answer to such a request.
status() {
  curl --silent --output /dev/null --write-out '%{http_code}' --request "$1" "$server$2" ${token:+--header "Authorization: Bearer $token"} ${3:+--data "$3"}
}
# Prints the first member with this name whose value is a text.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
# Fails unless a text contains another one: TEXT PART.
contains() {
  if [[ $1 != *"$2"* ]]; then
    echo "expected $2 in: $1" >&2
    exit 1
  fi
}
# Fails unless two texts are the same: WHAT FOUND EXPECTED.
same() {
  if [[ $2 != "$3" ]]; then
    echo "$1 is $2, expected $3" >&2
    exit 1
  fi
}
# Asks until the answer contains a text: PATH TEXT.
until_contains() {
  for _ in $(seq 300); do
    if answer=$(ask GET "$1" 2> /dev/null) && [[ $answer == *"$2"* ]]; then return; fi
    sleep 0.1
  done
  echo "no $2 at $1: $answer" >&2
  echo "open effects: $(token=$operator ask GET /api/operator/effects)" >&2
  exit 1
}
# Waits for a mail that contains a text: TEXT.
until_mailed() {
  for _ in $(seq 300); do
    # Mails break long lines after a `=`.
    for mail in "$mails"/*; do
      if [[ -f $mail ]] && [[ $(sed -z 's/=\r\n//g; s/=3D/=/g' "$mail") == *"$1"* ]]; then return; fi
    done
    sleep 0.1
  done
  echo "no mail with: $1" >&2
  exit 1
}
# Puts an object into a bucket of the business: BUCKET KEY TEXT.
put_object() {
  if [[ -n $cloud ]]; then
    curl --silent --show-error --fail --output /dev/null --request PUT "$cloud/$1"
    curl --silent --show-error --fail --output /dev/null --request PUT "$cloud/$1/${2// /%20}" \
      --header 'Content-Type: application/octet-stream' --data "$3"
  else
    local file="$data/providers/local/objects/$1/$2"
    mkdir -p "$(dirname "$file")"
    echo -n "$3" > "$file"
  fi
}
# Prints the newest checkout at the local Stripe, on one line without spaces.
last_checkout() {
  curl --silent --show-error --fail "$stripe/v1/checkout/sessions?limit=1" --user sk_test_local: | tr -d ' \n'
}
# Registers a user, who asks from then on: EMAIL.
register() {
  token=$(token='' ask POST /api/auth/register "{\"email\": \"$1\", \"password\": \"correct horse battery\"}" | field token)
}
# Proves the address of the user in `token` by the link that was mailed to it: EMAIL.
prove() {
  local link="/auth/confirm?token=" mail text
  until_mailed "$link"
  for mail in "$mails"/*; do
    text=$(sed -z 's/=\r\n//g; s/=3D/=/g' "$mail")
    if [[ $text == *"To: $1"* && $text == *"$link"* ]]; then
      ask POST /api/auth/confirm "{\"token\": \"$(sed -n "s|.*$link\([A-Za-z0-9_-]*\).*|\1|p" <<< "$text" | head -n 1)\"}" > /dev/null
      return
    fi
  done
  echo "no link for $1" >&2
  exit 1
}
# Pays a checkout of the local Stripe with a card that succeeds: URL EMAIL.
pay() {
  curl --silent --show-error --fail --output /dev/null "$1" --data "email=$2" \
    --data 'number=4242424242424242' --data-urlencode 'expiry=12 / 40' --data 'cvc=123' --data 'name=Ada'
}
