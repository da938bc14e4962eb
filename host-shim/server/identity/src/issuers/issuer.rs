//! An issuer with its document and its keys.

use crate::access::Caller;
use crate::issuers::fetch::{self, IssuerError, text};
use crate::issuers::keys::{Keys, Verified};
use crate::issuers::roles;
use crate::issuers::settings::IssuerSettings;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use host_store::Partition;
use serde_json::{Map, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Path of an issuer's document (OpenID Connect Discovery 1.0).
const DOCUMENT: &str = "/.well-known/openid-configuration";

/// The result of checking a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The caller of a valid token.
    Caller(Box<Caller>),
    /// The token is not valid.
    Invalid,
    /// The token's key is unknown: the token may turn out to be valid after [`Issuer::fetch_keys`].
    UnknownKey,
}

/// An issuer that a business trusts.
pub struct Issuer {
    settings: IssuerSettings,
    keys: Mutex<Keys>,
    /// Held while keys are fetched, so that waiting requests share one fetch.
    fetching: Mutex<()>,
}

impl Issuer {
    /// Creates an issuer. Its keys are fetched when the first token arrives.
    pub fn new(settings: IssuerSettings) -> Issuer {
        Issuer { settings, keys: Mutex::default(), fetching: Mutex::default() }
    }

    /// Returns the settings.
    pub fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Returns true if a token claims to be from this issuer. The claim may be false: only [`Issuer::caller`] verifies
    /// it.
    pub fn is_named_in(&self, token: &str) -> bool {
        let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
        claims.is_some_and(|claims| claims["iss"] == *self.settings.issuer)
    }

    /// Returns the caller of a token.
    pub fn caller(&self, token: &str, partition: &Partition) -> Checked {
        let Some(audience) = &self.settings.audience else { return Checked::Invalid };
        match self.keys().verify(token, &self.settings.issuer, audience, Instant::now()) {
            Verified::Valid(claims) => match roles::caller(&self.settings, &claims, partition) {
                Some(caller) => Checked::Caller(Box::new(caller)),
                None => Checked::Invalid,
            },
            Verified::Invalid => Checked::Invalid,
            Verified::NoKey => Checked::UnknownKey,
        }
    }

    /// Fetches the keys, unless that was tried a moment ago. Waits for the network.
    ///
    /// # Errors
    /// Fails if the issuer does not answer, or has no keys.
    pub fn fetch_keys(&self) -> Result<(), IssuerError> {
        let _one_at_a_time = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.keys().begin_fetch(Instant::now()) {
            return Ok(());
        }
        let malformed = IssuerError::Malformed { what: "document", expected: "`jwks_uri`" };
        let url = match &self.settings.keys {
            Some(url) => url.clone(),
            None => text(&self.document()?, "jwks_uri")
                .filter(|url| host_providers::http::is_address(url))
                .ok_or(malformed)?,
        };
        let set = fetch::object("keys", &url, "")?;
        match self.keys().replace(&set, Instant::now()) {
            true => Ok(()),
            false => Err(IssuerError::Malformed { what: "keys", expected: "at least one public key for signatures" }),
        }
    }

    /// Returns the claims of a token. The keys may have to be fetched first.
    pub(crate) fn claims(&self, token: &str, audience: &str) -> Result<Map<String, Value>, IssuerError> {
        let verify = || self.keys().verify(token, &self.settings.issuer, audience, Instant::now());
        let first = verify();
        let verified = match first {
            Verified::NoKey => {
                self.fetch_keys()?;
                verify()
            }
            known => known,
        };
        match verified {
            Verified::Valid(claims) => Ok(claims),
            Verified::Invalid | Verified::NoKey => Err(IssuerError::BadToken),
        }
    }

    /// Fetches the issuer's document, whose `issuer` must be this one.
    pub(crate) fn document(&self) -> Result<Map<String, Value>, IssuerError> {
        let url = format!("{}{DOCUMENT}", self.settings.issuer.trim_end_matches('/'));
        let document = fetch::object("document", &url, "")?;
        match text(&document, "issuer").is_some_and(|issuer| issuer == self.settings.issuer) {
            true => Ok(document),
            false => Err(IssuerError::Malformed { what: "document", expected: "the configured `issuer`" }),
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
