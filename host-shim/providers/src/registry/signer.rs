//! Signs tokens: JSON Web Tokens with ES256, whose header contains the certificate with which the registry verifies
//! them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use host_provider_api::{RegistryToken, Secret};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::Serialize;

/// Number of random bytes in a token's id.
const ID_BYTES: usize = 16;

/// Issuer, registry and key of the tokens.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the issuer, as in the registry's settings.
    pub issuer: String,
    /// Name of the registry, as in its settings.
    pub service: String,
    /// A P-256 key: PKCS #8 in PEM format.
    pub key: Secret,
    /// The key's certificate in PEM format, optionally followed by certificates of authorities.
    pub certificate: String,
}

/// Reasons why there is no signer. They contain nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A name is empty.
    #[error("`issuer` and `service`: expected the names that the registry has in `auth.token`")]
    Name,
    /// The key is invalid.
    #[error(
        "`key`: expected a P-256 key in PKCS #8, as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes it"
    )]
    Key,
    /// The certificate is invalid.
    #[error("`certificate`: expected a file with a certificate in PEM, as `openssl req -x509 -key KEY` makes it")]
    Certificate,
    /// The certificate belongs to another key.
    #[error("`certificate`: it is not the certificate of `key`")]
    OtherKey,
}

/// The claims of a token, in the form of the registry's protocol. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: &'c str,
    aud: &'c str,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: String,
    access: Vec<Access<'c>>,
}

/// The access that a token grants.
#[derive(Debug, Serialize)]
struct Access<'c> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'c str,
    actions: [&'static str; 1],
}

pub(crate) struct Signer {
    issuer: String,
    pub(crate) service: String,
    key: EncodingKey,
    header: Header,
    random: SystemRandom,
}

impl Signer {
    pub(crate) fn new(config: &Config) -> Result<Signer, ConfigError> {
        if config.issuer.is_empty() || config.service.is_empty() {
            return Err(ConfigError::Name);
        }
        let random = SystemRandom::new();
        let key = PrivatePkcs8KeyDer::from_pem_slice(config.key.expose().as_bytes()).map_err(|_| ConfigError::Key)?;
        let key = key.secret_pkcs8_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random);
        let pair = pair.map_err(|_| ConfigError::Key)?;
        let chain = CertificateDer::pem_slice_iter(config.certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| ConfigError::Certificate)?;
        let own = chain.first().ok_or(ConfigError::Certificate)?;
        // A certificate contains its public key verbatim. The registry would refuse every token signed with a different
        // key.
        let public = pair.public_key().as_ref();
        if !own.windows(public.len()).any(|part| part == public) {
            return Err(ConfigError::OtherKey);
        }
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(chain.iter().map(|certificate| STANDARD.encode(certificate)).collect());
        let (issuer, service) = (config.issuer.clone(), config.service.clone());
        Ok(Signer { issuer, service, key: EncodingKey::from_ec_der(key), header, random })
    }

    /// Signs a token that allows pulling from a repository, or nothing. None if random bytes or the time are not
    /// available.
    pub(crate) fn sign(
        &self,
        subject: &str,
        repository: Option<&str>,
        now_s: i64,
        ttl_s: i64,
    ) -> Option<RegistryToken> {
        let mut id = [0; ID_BYTES];
        self.random.fill(&mut id).ok()?;
        let pull = |name| Access { kind: "repository", name, actions: ["pull"] };
        let claims = Claims {
            iss: &self.issuer,
            sub: subject,
            aud: &self.service,
            exp: now_s.checked_add(ttl_s)?,
            nbf: now_s,
            iat: now_s,
            jti: hex::encode(id),
            access: repository.map(pull).into_iter().collect(),
        };
        let token = encode(&self.header, &claims, &self.key).ok()?;
        let issued_at = Timestamp::from_second(now_s).ok()?.to_string();
        Some(RegistryToken { token, expires_in: ttl_s, issued_at })
    }
}
