//! Logs a user in through an issuer, with the authorization code flow of OpenID Connect Core 1.0 and PKCE (RFC 7636).
//!
//! State, nonce and verifier are derived from one seed, which only the browser that started the login has.

use crate::issuers::fetch::{self, IssuerError, text};
use crate::issuers::issuer::Issuer;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

/// Length of a seed in bytes.
pub const SEED_BYTES: usize = 32;
/// The scope that a login requests from the issuer.
const SCOPE: &str = "openid email profile";

/// The secret of one login, which the browser keeps until the issuer sends it back.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginSeed([u8; SEED_BYTES]);

/// The person who has logged in, according to the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Id at the issuer, which never changes.
    pub subject: String,
    /// Address, if the issuer says that it is verified.
    pub email: Option<String>,
    /// Display name.
    pub name: Option<String>,
}

impl LoginSeed {
    /// Creates a seed of random bytes.
    pub fn new(random: [u8; SEED_BYTES]) -> LoginSeed {
        LoginSeed(random)
    }

    /// Parses a seed; none if the string is not one.
    pub fn parse(text: &str) -> Option<LoginSeed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(LoginSeed)
    }

    /// Returns the seed as a string, for a cookie.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Returns the state that the issuer sends back.
    pub fn state(&self) -> String {
        self.part("state")
    }

    fn part(&self, name: &str) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::new().chain_update(name).chain_update(self.0).finalize())
    }
}

impl Issuer {
    /// Returns the address at the issuer to which the browser is redirected. The browser returns to `redirect`. Waits for the
    /// network.
    ///
    /// # Errors
    /// Fails if the issuer does not answer, or if its document is wrong.
    pub fn begin(&self, seed: &LoginSeed, redirect: &str) -> Result<String, IssuerError> {
        let login = self.settings().login.as_ref().ok_or(IssuerError::NoLogin)?;
        let document = self.document()?;
        let malformed = IssuerError::Malformed { what: "document", expected: "`authorization_endpoint`" };
        let mut url = text(&document, "authorization_endpoint")
            .and_then(|url| Url::parse(&url).ok())
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .ok_or(malformed)?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(seed.part("verifier")));
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &login.client_id),
            ("redirect_uri", redirect),
            ("scope", SCOPE),
            ("state", &seed.state()),
            ("nonce", &seed.part("nonce")),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    /// Exchanges the code of a login for the person who has logged in. Waits for the network.
    ///
    /// # Errors
    /// Fails if the issuer refuses the code, or if its token is not valid for this login.
    pub fn finish(&self, seed: &LoginSeed, code: &str, redirect: &str) -> Result<Person, IssuerError> {
        let login = self.settings().login.as_ref().ok_or(IssuerError::NoLogin)?;
        let document = self.document()?;
        let answer = self.exchange(&document, seed, code, redirect)?;
        let token = text(&answer, "id_token")
            .ok_or(IssuerError::Malformed { what: "answer to the code", expected: "`id_token`" })?;
        let claims = self.claims(&token, &login.client_id)?;
        let is_of_this_login = text(&claims, "nonce").is_some_and(|nonce| nonce == seed.part("nonce"));
        let is_for_us = is_for_us(&claims, &login.client_id);
        let subject = text(&claims, "sub").filter(|_| is_of_this_login && is_for_us).ok_or(IssuerError::BadToken)?;
        match text(&claims, "email").is_some() {
            true => Ok(person(subject, &claims)),
            false => self.ask_for_person(&document, &answer, subject),
        }
    }

    fn exchange(
        &self,
        document: &Map<String, Value>,
        seed: &LoginSeed,
        code: &str,
        redirect: &str,
    ) -> Result<Map<String, Value>, IssuerError> {
        let login = self.settings().login.as_ref().ok_or(IssuerError::NoLogin)?;
        let endpoint = text(document, "token_endpoint").filter(|url| host_providers::http::is_address(url));
        let endpoint = endpoint.ok_or(IssuerError::Malformed { what: "document", expected: "`token_endpoint`" })?;
        let mut form = Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", &seed.part("verifier")),
        ]);
        let mut basic = None;
        match &login.client_secret {
            Some(secret) if takes_basic(document) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let both = format!("{}:{}", encoded(&login.client_id), encoded(secret.expose()));
                basic = Some(format!("Basic {}", STANDARD.encode(both)));
            }
            secret => {
                form.append_pair("client_id", &login.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
        }
        let headers: Vec<(&'static str, &str)> = basic.iter().map(|basic| ("authorization", basic.as_str())).collect();
        fetch::form("answer to the code", &endpoint, &headers, form.finish()).map_err(|error| match error {
            // `invalid_grant`, RFC 6749; a wrong client gets a 401.
            IssuerError::Status { status: 400, .. } => IssuerError::CodeRefused,
            other => other,
        })
    }

    /// Requests what the token does not contain: many issuers provide address and name only here.
    fn ask_for_person(
        &self,
        document: &Map<String, Value>,
        answer: &Map<String, Value>,
        subject: String,
    ) -> Result<Person, IssuerError> {
        let endpoint = text(document, "userinfo_endpoint").filter(|url| host_providers::http::is_address(url));
        let (Some(endpoint), Some(token)) = (endpoint, text(answer, "access_token")) else {
            return Ok(Person { subject, email: None, name: None });
        };
        let claims = fetch::object("user", &endpoint, &token)?;
        match text(&claims, "sub").is_some_and(|of| of == subject) {
            true => Ok(person(subject, &claims)),
            false => Err(IssuerError::BadToken),
        }
    }
}

/// Returns true if a token is for a client and for nobody else. With several audiences, `azp` must be the client that requested
/// it (OpenID Connect Core 1.0, 3.1.3.7).
fn is_for_us(claims: &Map<String, Value>, client: &str) -> bool {
    let has_several = claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
    claims.get("azp").map_or(!has_several, |azp| azp == client)
}

/// Returns true unless the issuer's document requires the client's secret to be in the body.
fn takes_basic(document: &Map<String, Value>) -> bool {
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
}

fn person(subject: String, claims: &Map<String, Value>) -> Person {
    let is_proved = claims.get("email_verified") == Some(&Value::Bool(true));
    Person { subject, email: text(claims, "email").filter(|_| is_proved), name: text(claims, "name") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_for_several_counts_only_for_the_one_that_asked_for_it() {
        for (claims, expected) in [
            (json!({"aud": "us"}), true),
            (json!({"aud": ["us"]}), true),
            (json!({"aud": ["us"], "azp": "us"}), true),
            (json!({"aud": ["us", "others"], "azp": "us"}), true),
            (json!({"aud": ["us", "others"]}), false),
            (json!({"aud": ["us", "others"], "azp": "others"}), false),
            (json!({"aud": "us", "azp": "others"}), false),
            (json!({"aud": "us", "azp": null}), false),
        ] {
            let claims = claims.as_object().expect("claims");
            assert_eq!(is_for_us(claims, "us"), expected, "{claims:?}");
        }
    }
}
