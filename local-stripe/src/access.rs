//! API keys: reads the key of a request and decides what a publishable key is allowed to do.

use serde_json::{Value, json};

use crate::api::Route;
use crate::error::ApiError;
use crate::form::{Form, Node};
use crate::object::Object;
use crate::state::State;

/// The access level of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A secret key: all endpoints.
    Secret,
    /// A publishable key: only the endpoints that a payment page calls from the browser.
    Publishable,
    /// The key of an app, for one customer: only the endpoints for that customer's payment methods.
    Ephemeral,
}

/// The lifetime of an ephemeral key in seconds.
const EPHEMERAL_S: i64 = 3_600;
/// Endpoints that an ephemeral key may call for its customer.
const EPHEMERAL: &[(&str, &str)] = &[
    ("GET", "/v1/customers/{}"),
    ("GET", "/v1/customers/{}/payment_methods"),
    ("GET", "/v1/payment_methods"),
    ("POST", "/v1/customers/{}"),
    ("POST", "/v1/payment_methods/{}"),
    ("POST", "/v1/payment_methods/{}/attach"),
    ("POST", "/v1/payment_methods/{}/detach"),
];

/// Creates an ephemeral key for a customer, and removes expired keys.
///
/// # Errors
/// The customer is unknown.
pub fn make_ephemeral(st: &mut State, customer: &str) -> Result<Value, ApiError> {
    let customer = st.load("customer", customer, "customer")?;
    let now = st.clock_s();
    let expired = st.newest("ephemeral_key", None).filter(|key| key.int("expires") <= now);
    let expired: Vec<String> = expired.map(|key| key.id().to_owned()).collect();
    expired.iter().for_each(|key| st.remove(key));
    let secret = format!("ek_test_{}", st.new_characters(48));
    let key = Object::of(json!({
        "id": st.new_id("ephkey"),
        "object": "ephemeral_key",
        "associated_objects": [{ "id": customer.id(), "type": "customer" }],
        "created": now,
        "expires": now + EPHEMERAL_S,
        "livemode": false,
    }))
    .with(|key| {
        let own = key.as_ephemeral_key_mut();
        (own.secret, own.customer) = (secret.clone(), customer.id().to_owned());
    });
    let mut shown = st.put(key).value();
    // Only the response that creates the key contains the secret.
    shown["secret"] = json!(secret);
    Ok(shown)
}

/// Checks that an ephemeral key may make this request.
///
/// # Errors
/// The key is unknown or expired, or the request does not concern its customer's payment methods.
pub fn check_ephemeral(st: &State, key: &str, route: &Route, ids: &[&str], form: &Form) -> Result<(), ApiError> {
    let is_it =
        |held: &std::sync::Arc<Object>| held.as_ephemeral_key().secret == key && held.int("expires") > st.clock_s();
    let Some(held) = st.newest("ephemeral_key", None).find(is_it) else {
        return Err(ApiError::unauthorized("Invalid or expired ephemeral key provided."));
    };
    let own = held.as_ephemeral_key().customer.as_str();
    let asked = match form.get("customer") {
        Some(Node::Text(customer)) => Some(customer.as_str()),
        Some(_) => None,
        None => Some(own).filter(|_| route.path != "/v1/payment_methods"),
    };
    let subject = ids.first().and_then(|id| st.seek(id));
    let is_own = subject.is_none_or(|subject| match subject.kind() {
        "customer" => subject.id() == own,
        _ => ["", own].contains(&subject.text("customer")),
    });
    if EPHEMERAL.contains(&(route.method, route.path)) && is_own && asked == Some(own) {
        return Ok(());
    }
    let message = "This ephemeral key does not permit this request.";
    Err(ApiError { status: 403, ..ApiError::coded("secret_key_required", message) })
}

/// Endpoints that a publishable key may call. If the object has a client secret, the request must include it.
const PUBLISHABLE: &[(&str, &str)] = &[
    ("GET", "/v1/payment_intents/{}"),
    ("GET", "/v1/payment_pages/{}"),
    ("GET", "/v1/setup_intents/{}"),
    ("POST", "/v1/payment_intents/{}/confirm"),
    ("POST", "/v1/payment_methods"),
    ("POST", "/v1/payment_pages/{}/confirm"),
    ("POST", "/v1/setup_intents/{}/confirm"),
    ("POST", "/v1/tokens"),
];

/// Removes the API key from a form and returns the key. Stripe.js sends the key in the form.
pub fn take_key(form: &mut Form) -> Option<String> {
    match form.remove("key") {
        Some(Node::Text(key)) => Some(key),
        _ => None,
    }
}

/// Checks that a publishable key may make this request.
///
/// # Errors
/// The endpoint or a parameter requires a secret key, or the client secret is missing or wrong.
pub fn check_publishable(st: &State, route: &Route, ids: &[&str], form: &Form) -> Result<(), ApiError> {
    if !PUBLISHABLE.contains(&(route.method, route.path)) {
        let message = "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.";
        return Err(ApiError { code: Some("secret_key_required".into()), ..ApiError::unauthorized(message) });
    }
    // A browser gets the object without expansions, and must not change how the object is paid.
    for name in ["expand", "capture_method", "error_on_requires_action", "off_session"] {
        if form.contains_key(name) {
            let message = format!("The parameter {name} can only be used with a secret API key.");
            return Err(ApiError::coded("secret_key_required", message).about(name));
        }
    }
    let given = match form.get("client_secret") {
        Some(Node::Text(secret)) => secret.as_str(),
        _ => "",
    };
    let owner = ids.first().and_then(|id| st.seek(id));
    match owner.filter(|owner| matches!(owner.kind(), "payment_intent" | "setup_intent")) {
        Some(owner) => check_client_secret(&owner, Some(given)),
        None => Ok(()),
    }
}

/// Checks a request's client secret against that of the intent. With a secret key, the client secret is optional.
///
/// # Errors
/// The client secret does not match.
pub fn check_client_secret(intent: &Object, given: Option<&str>) -> Result<(), ApiError> {
    if given.is_none_or(|given| given == intent.text("client_secret")) {
        return Ok(());
    }
    let message =
        "The client_secret provided does not match any associated PaymentIntent or SetupIntent on this account.";
    Err(ApiError::coded("resource_missing", message).about("client_secret"))
}

/// Returns the access level of a request. The key in the `Authorization` header takes precedence over the key in the
/// form. Any test key is valid; a live key is refused.
///
/// # Errors
/// The key is missing, the header has an unknown scheme, or the key is not a test key.
pub fn of(authorization: Option<&str>, in_form: Option<&str>) -> Result<Access, ApiError> {
    let key = key_of(authorization, in_form)?;
    if key.starts_with("sk_test_") || key.starts_with("rk_test_") {
        return Ok(Access::Secret);
    }
    if key.starts_with("pk_test_") {
        return Ok(Access::Publishable);
    }
    if key.starts_with("ek_test_") {
        return Ok(Access::Ephemeral);
    }
    let shown: String = key.chars().take(8).collect();
    if ["sk_live_", "rk_live_", "pk_live_"].iter().any(|live| key.starts_with(live)) {
        let message = "This is a local sandbox: use a key that begins with sk_test_ or pk_test_, never a live one.";
        return Err(ApiError::unauthorized(message));
    }
    Err(ApiError::unauthorized(format!("Invalid API Key provided: {shown}****")))
}

/// Returns the key of a request.
///
/// # Errors
/// The key is missing, or the header has an unknown scheme.
pub fn key_of(authorization: Option<&str>, in_form: Option<&str>) -> Result<String, ApiError> {
    let missing = || {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.";
        ApiError::unauthorized(message)
    };
    match authorization {
        None => in_form.map(str::to_owned).ok_or_else(missing),
        Some(header) => {
            let (scheme, value) = header.split_once(' ').ok_or_else(missing)?;
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => Ok(value.trim().to_owned()),
                "basic" => basic_user(value.trim()).ok_or_else(missing),
                _ => Err(missing()),
            }
        }
    }
}

/// Returns the user name of basic authentication, in which Stripe clients send the key.
fn basic_user(encoded: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if encoded.len() > 1_024 {
        return None;
    }
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in encoded.bytes().filter(|b| *b != b'=') {
        let digit = ALPHABET.iter().position(|a| *a == byte)?;
        bits = (bits << 6) | u32::try_from(digit).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
        bits &= (1 << count) - 1;
    }
    let text = String::from_utf8(bytes).ok()?;
    text.split(':').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_and_publishable_keys_are_accepted_and_live_keys_refused() {
        let status = |header: Option<&str>| of(header, None).map_err(|e| e.status);
        assert_eq!(status(Some("Bearer sk_test_123")), Ok(Access::Secret));
        assert_eq!(status(Some("Basic c2tfdGVzdF8xMjM6")), Ok(Access::Secret));
        assert_eq!(status(Some("Bearer pk_test_1")), Ok(Access::Publishable));
        assert_eq!(of(None, Some("pk_test_1")), Ok(Access::Publishable));
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer pk_live_1"),
            Some("Bearer sk_live_1"),
            Some("Basic ***"),
            Some("Digest x"),
        ] {
            assert_eq!(status(wrong), Err(401), "{wrong:?}");
        }
    }
}
