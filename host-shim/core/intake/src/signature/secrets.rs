//! An endpoint's signing secrets. Their text is gone once they are keyed, and no output shows it.

use super::{SECRETS_MAX, TOLERANCE_S_DEFAULT};
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use std::fmt;

/// Which of a provider's two worlds a secret belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Play money.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The mode of an object that says `livemode`.
    pub fn of(livemode: bool) -> Self {
        if livemode { Mode::Live } else { Mode::Test }
    }

    /// True for real money.
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

/// A secret as configuration gives it.
#[derive(Clone)]
pub struct SecretConfig {
    /// What it is for, for example `platform`: lower-case letters, digits, `-` and `_`. Unique within its mode.
    pub name: String,
    /// Mode of the provider's endpoint.
    pub mode: Mode,
    /// True if the endpoint gets events of connected accounts only, false if of our own account only; none if of both.
    pub connect: Option<bool>,
    /// The whole text, `whsec_` included.
    pub secret: String,
}

/// Without the secret.
impl fmt::Debug for SecretConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretConfig")
            .field("name", &self.name)
            .field("mode", &self.mode)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// Why an endpoint's secrets can't be used. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// None are given, so nothing could ever be accepted.
    #[error("no signing secret: expected 1 to {SECRETS_MAX}")]
    NoSecret,
    /// More are given than one delivery may cost.
    #[error("{given} signing secrets: expected at most {SECRETS_MAX}")]
    TooManySecrets {
        /// Their number.
        given: usize,
    },
    /// A name that can't be part of a report.
    #[error("signing secret `{name}`: expected a name of lower-case letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// Two have one name.
    #[error("signing secret `{name}` is given twice")]
    SameName {
        /// Mode and name.
        name: String,
    },
    /// Two are the same text, so that a match would not tell the mode.
    #[error("signing secrets `{first}` and `{second}` are the same text: expected one for each endpoint and mode")]
    SameSecret {
        /// Mode and name of one.
        first: String,
        /// Mode and name of the other.
        second: String,
    },
    /// An empty text.
    #[error("signing secret `{name}` is empty")]
    EmptySecret {
        /// Mode and name.
        name: String,
    },
    /// A space, a newline or a control character: nothing would ever match.
    #[error("signing secret `{name}` holds whitespace: expected the text alone, as in `whsec_…`")]
    StrayWhitespace {
        /// Mode and name.
        name: String,
    },
    /// 0 does not mean "off": there is no protection against a captured delivery without a window.
    #[error("tolerance 0 s: expected at least 1, by default {TOLERANCE_S_DEFAULT}")]
    NoTolerance,
}

/// One secret, keyed.
#[derive(Clone)]
pub struct EndpointSecret {
    name: String,
    mode: Mode,
    connect: Option<bool>,
    keyed: Hmac<Sha256>,
}

impl EndpointSecret {
    /// Mode and name: `test/platform`, `live/connect`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Mode of its endpoint.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// True for events of connected accounts only, false for those of our own only.
    pub fn connect(&self) -> Option<bool> {
        self.connect
    }

    pub(super) fn keyed(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }
}

/// Without the key.
impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecret")
            .field("name", &self.name)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

/// The secrets of one endpoint and how old a delivery may be. A plain value: a changed one takes the place of the old
/// without a restart.
#[derive(Clone, Debug)]
pub struct EndpointSecrets {
    secrets: Vec<EndpointSecret>,
    tolerance_s: u32,
}

impl EndpointSecrets {
    /// Check and key the secrets, in the order in which they will be tried.
    ///
    /// # Errors
    /// [`ConfigError`] with the name of the secret that is not usable.
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

    /// How far a delivery's time may be from ours, in seconds.
    pub fn tolerance_s(&self) -> u32 {
        self.tolerance_s
    }

    /// The secrets, in the order in which they are tried.
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
