//! Signs and verifies session tokens: JSON Web Tokens with Ed25519. The public keys are published (JWKS), so that other programs can
//! verify tokens as well. [`Signer::seal`] encrypts what only the server may read again, with keys derived from the same seeds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use extension_contract::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Length of a seed, from which a key is derived, in bytes.
pub const SEED_BYTES: usize = 32;
/// The header of an Ed25519 key in PKCS #8 (RFC 8410); the seed follows.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What distinguishes the key that seals from other keys of the same seed.
const SEALING: &[u8] = b"seals what a browser keeps for the server";
/// Suffix of the issuer of marks.
const BROWSERS: &str = "#browsers";

/// The reason why there is no signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// There is no key.
    #[error("no key: expected at least one")]
    NoKey,
    /// A seed is invalid.
    #[error("a key is damaged: expected {SEED_BYTES} bytes")]
    Damaged,
}

/// The claims of a token. Times are in seconds since the epoch.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
}

/// One key.
struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// The public key, base64url.
    public: String,
    /// Encrypts what a browser keeps for the server.
    sealing: LessSafeKey,
}

/// Signs with the newest key, and verifies with all.
pub struct Signer {
    issuer: String,
    keys: Vec<Key>,
}

impl Signer {
    /// Creates a signer from seeds with the ids of their keys, newest first. `issuer` identifies the business and the mode.
    ///
    /// # Errors
    /// Fails without a seed, or if a seed is invalid.
    pub fn new(issuer: &str, seeds: &[(String, Vec<u8>)]) -> Result<Signer, SignerError> {
        let key = |(id, seed): &(String, Vec<u8>)| {
            let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SignerError::Damaged)?;
            let public = base64url(pair.public_key().as_ref());
            let decoding = DecodingKey::from_ed_components(&public).map_err(|_| SignerError::Damaged)?;
            let encoding = EncodingKey::from_ed_der(&[&PKCS8[..], seed].concat());
            let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, seed), SEALING);
            let sealing = UnboundKey::new(&CHACHA20_POLY1305, derived.as_ref()).map_err(|_| SignerError::Damaged)?;
            Ok(Key { id: id.clone(), encoding, decoding, public, sealing: LessSafeKey::new(sealing) })
        };
        let keys: Vec<Key> = seeds.iter().map(key).collect::<Result<_, SignerError>>()?;
        match keys.is_empty() {
            true => Err(SignerError::NoKey),
            false => Ok(Signer { issuer: issuer.to_owned(), keys }),
        }
    }

    /// Returns the token of a session; none if it cannot be signed.
    pub fn sign(&self, user: &str, session: &str, now: Timestamp, expires_at: Timestamp) -> Option<String> {
        self.signed(self.issuer.clone(), user, session, now, expires_at)
    }

    /// Returns the mark for a browser in which somebody has logged in. It has a different issuer from sessions, so it cannot be mistaken
    /// for one.
    pub fn mark(&self, whose: &str, browser: &str, now: Timestamp, expires_at: Timestamp) -> Option<String> {
        self.signed(self.issuer_of_marks(), whose, browser, now, expires_at)
    }

    fn issuer_of_marks(&self) -> String {
        format!("{}{BROWSERS}", self.issuer)
    }

    fn signed(&self, iss: String, sub: &str, sid: &str, now: Timestamp, expires_at: Timestamp) -> Option<String> {
        let key = self.keys.first()?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
        let claims = Claims {
            iss,
            sub: sub.to_owned(),
            sid: sid.to_owned(),
            iat: now.div_euclid(1_000),
            exp: expires_at.div_euclid(1_000),
        };
        encode(&header, &claims, &key.encoding).ok()
    }

    /// Returns the user and the session of a token; none if the token was not issued by this server, was changed or has expired.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<(String, String)> {
        self.verified(&self.issuer, token, now)
    }

    /// Returns the owner of a mark, and the browser; none if the mark was not issued by this server, was changed or has expired.
    pub fn verify_mark(&self, mark: &str, now: Timestamp) -> Option<(String, String)> {
        self.verified(&self.issuer_of_marks(), mark, now)
    }

    fn verified(&self, issuer: &str, token: &str, now: Timestamp) -> Option<(String, String)> {
        let id = decode_header(token).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let mut expected = Validation::new(Algorithm::EdDSA);
        // The site's clock is used, which tests and local mode can advance.
        expected.validate_exp = false;
        expected.validate_aud = false;
        expected.set_issuer(&[issuer]);
        expected.set_required_spec_claims(&["iss", "exp", "sub"]);
        let claims = decode::<Claims>(token, &key.decoding, &expected).ok()?.claims;
        (claims.exp > now.div_euclid(1_000)).then_some((claims.sub, claims.sid))
    }

    /// Encrypts a text that a browser keeps for the server, as base64url. It opens only with the same context; none if there is no
    /// randomness.
    pub fn seal(&self, context: &str, text: &[u8]) -> Option<String> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = text.to_vec();
        let context = self.context(context);
        key.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .ok()?;
        Some(base64url(&[&nonce[..], &sealed].concat()))
    }

    /// Returns a sealed text; none if this server has not sealed it in this context, or if it was changed.
    pub fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().find_map(|key| {
            let (mut text, context) = (sealed.to_vec(), self.context(context));
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.sealing.open_in_place(nonce, Aad::from(context), &mut text).ok().map(|text| text.to_vec())
        })
    }

    fn context(&self, of: &str) -> String {
        format!("{}\n{of}", self.issuer)
    }

    /// Returns the public keys as a JSON Web Key Set (RFC 7517, 8037).
    pub fn key_set(&self) -> Value {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .map(|key| json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.id, "x": key.public}))
            .collect();
        json!({"keys": keys})
    }
}

/// Encodes bytes as base64url without padding.
fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(issuer: &str, seeds: &[(&str, u8)]) -> Signer {
        let seeds: Vec<(String, Vec<u8>)> =
            seeds.iter().map(|(id, byte)| ((*id).to_owned(), vec![*byte; SEED_BYTES])).collect();
        Signer::new(issuer, &seeds).expect("a signer")
    }

    #[test]
    fn only_a_token_that_is_ours_and_valid_is_accepted() {
        let ours = signer("shop/test", &[("k1", 1)]);
        let token = ours.sign("usr_1", "ses_1", 1_000_000, 2_000_000).expect("signed");
        assert_eq!(ours.verify(&token, 1_999_999), Some(("usr_1".into(), "ses_1".into())));
        assert_eq!(ours.verify(&token, 2_000_000), None, "it has expired");
        assert_eq!(signer("shop/live", &[("k1", 1)]).verify(&token, 1_000_000), None, "another mode");
        assert_eq!(signer("shop/test", &[("k1", 2)]).verify(&token, 1_000_000), None, "another key of the same name");
        let parts: Vec<&str> = token.split('.').collect();
        let changed = |at: usize| {
            let mut part = parts[at].to_owned().into_bytes();
            part[5] = if part[5] == b'A' { b'B' } else { b'A' };
            let part = String::from_utf8(part).expect("letters");
            parts
                .iter()
                .enumerate()
                .map(|(i, own)| if i == at { part.as_str() } else { own })
                .collect::<Vec<_>>()
                .join(".")
        };
        for at in 0..3 {
            assert_eq!(ours.verify(&changed(at), 1_000_000), None, "part {at}");
        }
        let unsigned = format!("{}.{}.", base64url(br#"{"alg":"none","kid":"k1"}"#), parts[1]);
        let symmetric = format!("{}.{}.{}", base64url(br#"{"alg":"HS256","kid":"k1"}"#), parts[1], parts[2]);
        for wrong in [unsigned.as_str(), symmetric.as_str(), "", "a.b.c", parts[1]] {
            assert_eq!(ours.verify(wrong, 1_000_000), None, "{wrong}");
        }
    }

    #[test]
    fn the_mark_of_a_browser_is_no_session_and_a_session_is_no_mark() {
        let ours = signer("shop/test", &[("k1", 1)]);
        let (mark, token) = (ours.mark("ada", "brw_1", 0, 10_000), ours.sign("ada", "ses_1", 0, 10_000));
        let (mark, token) = (mark.expect("signed"), token.expect("signed"));
        assert_eq!(ours.verify_mark(&mark, 9_000), Some(("ada".into(), "brw_1".into())));
        assert_eq!(
            (ours.verify_mark(&mark, 10_000), ours.verify_mark(&token, 0), ours.verify(&mark, 0)),
            (None, None, None)
        );
        assert_eq!(signer("shop/live", &[("k1", 1)]).verify_mark(&mark, 0), None, "another mode");
    }

    #[test]
    fn a_sealed_text_opens_at_its_server_and_in_its_context_only() {
        let ours = signer("shop/test", &[("k1", 1)]);
        let sealed = ours.seal("ses_1", b"Wrong password.").expect("sealed");
        assert_eq!(ours.open("ses_1", &sealed).as_deref(), Some(&b"Wrong password."[..]));
        assert_ne!(ours.seal("ses_1", b"Wrong password."), Some(sealed.clone()), "another nonce");
        assert!(!sealed.contains(&base64url(b"Wrong")), "{sealed}");
        assert_eq!(ours.open("ses_2", &sealed), None, "another session");
        assert_eq!(signer("shop/live", &[("k1", 1)]).open("ses_1", &sealed), None, "another mode");
        assert_eq!(signer("shop/test", &[("k1", 2)]).open("ses_1", &sealed), None, "another key");
        assert!(signer("shop/test", &[("k2", 2), ("k1", 1)]).open("ses_1", &sealed).is_some(), "a rotated key");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("letters");
            assert_eq!(ours.open("ses_1", &changed), None, "{at}");
        }
        for wrong in ["", "AAAA", "?", &base64url(b"Wrong password.")] {
            assert_eq!(ours.open("ses_1", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_rotated_key_still_verifies_and_a_retired_one_does_not() {
        let old = signer("shop/test", &[("k1", 1)]);
        let token = old.sign("usr_1", "ses_1", 0, 10_000).expect("signed");
        let rotated = signer("shop/test", &[("k2", 2), ("k1", 1)]);
        assert!(rotated.verify(&token, 1_000).is_some());
        let newer = rotated.sign("usr_1", "ses_2", 0, 10_000).expect("signed");
        assert!(old.verify(&newer, 1_000).is_none());
        assert!(signer("shop/test", &[("k3", 3), ("k2", 2)]).verify(&token, 1_000).is_none());
        let ids: Vec<Value> =
            rotated.key_set()["keys"].as_array().expect("keys").iter().map(|key| key["kid"].clone()).collect();
        assert_eq!(ids, ["k2", "k1"]);
    }

    #[test]
    fn the_public_key_is_that_of_the_rfc() {
        // RFC 8037, appendix A: the seed and the public key of the example.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let signer = Signer::new("x", &[("k".to_owned(), seed.to_vec())]).expect("a signer");
        assert_eq!(signer.key_set()["keys"][0]["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(Signer::new("x", &[]).err(), Some(SignerError::NoKey));
        assert_eq!(Signer::new("x", &[("k".to_owned(), vec![1])]).err(), Some(SignerError::Damaged));
    }
}
