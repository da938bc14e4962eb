//! Registry provider: `object.sign` for an image returns the credential with which the image can be pulled.
//!
//! The credential is a token that a registry verifies on its own (<https://distribution.github.io/distribution/spec/auth/jwt/>), so the
//! provider sends no request.

mod image;
mod open;
mod signer;

pub use open::RegistrySettings;
pub use signer::{Config, ConfigError};

use host_provider_api::{Call, CallOutcome, Provider, RegistryToken, RegistryTokens};
use serde_json::{Value, json};
use signer::Signer;
use std::time::{SystemTime, UNIX_EPOCH};

/// The only effect of the provider.
pub const KIND: &str = "object.sign";
/// The payload member that contains an image. A payload without it is about an object in a bucket.
pub const IMAGE: &str = "image";
/// Allowed lifetime of a token in seconds. Registry clients treat less than a minute as a minute.
const TTL_S: std::ops::RangeInclusive<i64> = 60..=86_400;
/// Lifetime of a token that grants no access, in seconds.
const LOGIN_TTL_S: i64 = 300;

/// The provider of credentials for images.
///
/// | effect | payload | outputs |
/// |---|---|---|
/// | `object.sign` | `image`, `ttl_s` | `token`, `service`, `repository`, `expires_in`, `issued_at` |
///
/// A token allows pulling every tag of the image's repository, and nothing else. Its subject is the account. Its times are those of the
/// machine, because the registry compares them with its own clock.
pub struct Images {
    signer: Signer,
}

impl Images {
    /// Creates the provider.
    ///
    /// # Errors
    /// Fails if the key or the certificate is unusable, or if they do not belong together.
    pub fn new(config: &Config) -> Result<Images, ConfigError> {
        Signer::new(config).map(|signer| Images { signer })
    }

    fn sign(&self, call: &Call) -> Result<Value, CallOutcome> {
        let bad = |detail: String| CallOutcome::refused("bad-payload", detail);
        let image = call.text(IMAGE).unwrap_or_default();
        let repository = image::repository(image).ok_or_else(|| {
            bad(format!("`{IMAGE}` is `{image}`, expected an image such as registry.example/editor:1"))
        })?;
        let ttl_s = call.payload["ttl_s"].as_i64().filter(|ttl_s| TTL_S.contains(ttl_s));
        let ttl_s =
            ttl_s.ok_or_else(|| bad(format!("`ttl_s`: expected {} to {} seconds", TTL_S.start(), TTL_S.end())))?;
        // The scope is BUSINESS/MODE/ACCOUNT.
        let account = call.scope.splitn(3, '/').last().unwrap_or_default();
        let signed = now_s().and_then(|now_s| self.signer.sign(account, Some(repository), now_s, ttl_s));
        let RegistryToken { token, expires_in, issued_at } =
            signed.ok_or_else(|| CallOutcome::retry("not-signed", "the token cannot be signed now"))?;
        let service = &self.signer.service;
        Ok(json!({
            "token": token, "service": service, "repository": repository, "expires_in": expires_in, "issued_at": issued_at,
        }))
    }
}

impl Provider for Images {
    fn call(&self, call: &Call) -> CallOutcome {
        if call.kind != KIND {
            return CallOutcome::unsupported(call);
        }
        self.sign(call).map_or_else(|refused| refused, CallOutcome::Done)
    }
}

impl RegistryTokens for Images {
    fn service(&self) -> &str {
        &self.signer.service
    }

    fn without_access(&self, subject: &str) -> Option<RegistryToken> {
        self.signer.sign(subject, None, now_s()?, LOGIN_TTL_S)
    }
}

/// Returns the time in seconds since the epoch; none for a time before the epoch.
fn now_s() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
