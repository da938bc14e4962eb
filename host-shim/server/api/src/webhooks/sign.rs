//! Secrets and signatures of Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Prefix of a secret.
const PREFIX: &str = "whsec_";
/// Number of random bytes of a secret; the standard allows 24 to 64.
const BYTES: usize = 32;

/// The reason why nothing could be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The system has no random bytes.
    #[error("no random bytes")]
    NoRandom,
    /// The secret in the vault is damaged.
    #[error("the secret of the endpoint is damaged")]
    Damaged,
}

/// Creates a secret.
///
/// # Errors
/// Fails if the system has no random bytes.
pub fn new_secret() -> Result<String, SignError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| SignError::NoRandom)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// Returns the signature of a message at a time in seconds since the epoch.
///
/// # Errors
/// Fails if the secret is invalid.
pub fn signature(secret: &str, id: &str, timestamp_s: i64, body: &str) -> Result<String, SignError> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(SignError::Damaged)?;
    let key = STANDARD.decode(encoded).map_err(|_| SignError::Damaged)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| SignError::Damaged)?;
    mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standards_example() {
        // The example from the Standard Webhooks specification.
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(signature("secret", "a", 1, ""), Err(SignError::Damaged));
        assert_ne!(new_secret(), new_secret());
    }
}
