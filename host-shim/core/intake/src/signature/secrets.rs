//! The signing secrets of an endpoint. The text of a secret is dropped once the HMAC key is created, and is never printed.

use super::{SECRETS_MAX, TOLERANCE_S_DEFAULT};
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use std::fmt;

/// The mode of an endpoint at Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Test mode, without real money.
    Test,
    /// Live mode, with real money.
    Live,
}

impl Mode {
    /// Returns the mode for a `livemode` flag.
    pub fn of(livemode: bool) -> Self {
        if livemode { Mode::Live } else { Mode::Test }
    }

    /// Returns true for live mode.
    pub fn livemode(self) -> bool {
        self == Mode::Live
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Test => "test",
            Mode::Live => "live",
        })
    }
}

/// Minimum number of characters of a signing secret after `whsec_`: 128 bits, at 8 bits per character.
pub const SECRET_CHARS_MIN: usize = 16;

/// Returns true for a signing secret that somebody could guess. Only a server in local mode, which strangers cannot reach, may have
/// one.
pub fn is_short(secret: &str) -> bool {
    secret.strip_prefix("whsec_").unwrap_or(secret).chars().count() < SECRET_CHARS_MIN
}

/// A secret in the configuration.
#[derive(Clone)]
pub struct SecretConfig {
    /// Name, for example `platform`: lower-case letters, digits, `-` and `_`. Unique within its mode.
    pub name: String,
    /// Mode of the endpoint at Stripe.
    pub mode: Mode,
    /// True if the endpoint receives only events of connected accounts, false if only events of our own account, none if both.
    pub connect: Option<bool>,
    /// The whole secret, including `whsec_`.
    pub secret: String,
}

/// Omits the secret.
impl fmt::Debug for SecretConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretConfig")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// The reason why the secrets of an endpoint cannot be used. No variant contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The endpoint has no secret, so it would refuse every delivery.
    #[error("no signing secret: expected 1 to {SECRETS_MAX}")]
    NoSecret,
    /// The endpoint has too many secrets.
    #[error("{given} signing secrets: expected at most {SECRETS_MAX}")]
    TooManySecrets {
        /// Number of secrets.
        given: usize,
    },
    /// A name has invalid characters.
    #[error("signing secret `{name}`: expected a name of lower-case letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// Two secrets have the same name.
    #[error("two signing secrets have the name `{name}`")]
    SameName {
        /// Mode and name.
        name: String,
    },
    /// Two secrets have the same text, so that a match would not determine the mode.
    #[error("signing secrets `{first}` and `{second}` are equal: expected one for each endpoint and mode")]
    SameSecret {
        /// Mode and name of the first.
        first: String,
        /// Mode and name of the second.
        second: String,
    },
    /// A secret is empty.
    #[error("signing secret `{name}` is empty")]
    EmptySecret {
        /// Mode and name.
        name: String,
    },
    /// A secret contains whitespace or a control character, so that it would never match.
    #[error("signing secret `{name}` contains whitespace: expected only the secret, for example `whsec_…`")]
    StrayWhitespace {
        /// Mode and name.
        name: String,
    },
    /// The tolerance is 0. The check of the time cannot be turned off, since it protects against captured deliveries.
    #[error("tolerance 0 s: expected at least 1, by default {TOLERANCE_S_DEFAULT}")]
    NoTolerance,
}

/// A secret as an HMAC key.
#[derive(Clone)]
pub struct EndpointSecret {
    name: String,
    mode: Mode,
    connect: Option<bool>,
    keyed: Hmac<Sha256>,
}

impl EndpointSecret {
    /// Returns mode and name: `test/platform`, `live/connect`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the mode of the endpoint.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns true if the endpoint receives only events of connected accounts, false if only events of our own account, none if
    /// both.
    pub fn connect(&self) -> Option<bool> {
        self.connect
    }

    pub(super) fn keyed(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }
}

/// Omits the key.
impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecret")
            .field("name", &self.name)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// The secrets of one endpoint, and the time tolerance. A plain value, which can be replaced without a restart.
#[derive(Clone, Debug)]
pub struct EndpointSecrets {
    secrets: Vec<EndpointSecret>,
    tolerance_s: u32,
}

impl EndpointSecrets {
    /// Checks the secrets and creates their HMAC keys. A delivery is verified with the secrets in this order. `tolerance_s` is the
    /// maximum difference between a delivery's time and ours, in seconds.
    ///
    /// # Errors
    /// Fails with [`ConfigError`] if a secret is unusable, if there are too many secrets or none, or if the tolerance is 0.
    pub fn new(configs: Vec<SecretConfig>, tolerance_s: u32) -> Result<Self, ConfigError> {
        if configs.is_empty() {
            return Err(ConfigError::NoSecret);
        }
        if configs.len() > SECRETS_MAX {
            return Err(ConfigError::TooManySecrets { given: configs.len() });
        }
        if tolerance_s == 0 {
            return Err(ConfigError::NoTolerance);
        }
        let mut secrets: Vec<EndpointSecret> = Vec::with_capacity(configs.len());
        for (i, config) in configs.iter().enumerate() {
            let secret = key(config)?;
            if secrets.iter().any(|earlier| earlier.name == secret.name) {
                return Err(ConfigError::SameName { name: secret.name });
            }
            if let Some(earlier) = configs[..i].iter().position(|earlier| earlier.secret == config.secret) {
                return Err(ConfigError::SameSecret { first: secrets[earlier].name.clone(), second: secret.name });
            }
            secrets.push(secret);
        }
        Ok(EndpointSecrets { secrets, tolerance_s })
    }

    /// Returns the maximum difference between a delivery's time and ours, in seconds.
    pub fn tolerance_s(&self) -> u32 {
        self.tolerance_s
    }

    /// Returns the secrets in the order in which they are tried.
    pub fn secrets(&self) -> &[EndpointSecret] {
        &self.secrets
    }
}

fn key(config: &SecretConfig) -> Result<EndpointSecret, ConfigError> {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    if config.name.is_empty() || !config.name.bytes().all(plain) {
        return Err(ConfigError::BadName { name: config.name.clone() });
    }
    let name = format!("{}/{}", config.mode, config.name);
    if config.secret.is_empty() {
        return Err(ConfigError::EmptySecret { name });
    }
    if config.secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ConfigError::StrayWhitespace { name });
    }
    let keyed = Hmac::new_from_slice(config.secret.as_bytes()).expect("HMAC takes a key of any length");
    Ok(EndpointSecret { name, mode: config.mode, connect: config.connect, keyed })
}
