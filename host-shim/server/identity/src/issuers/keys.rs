//! The public keys of an issuer. They are fetched again when they are old, or when a token uses an unknown key (rotation), but not
//! often, because anybody can send a token with an unknown key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// Age at which the keys are fetched again. A key that the issuer has withdrawn is accepted no longer than this.
const FRESH: Duration = Duration::from_secs(3_600);
/// Age up to which the keys are accepted if the issuer does not answer.
const USABLE: Duration = Duration::from_secs(24 * 3_600);
/// Minimum time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);
/// Maximum number of keys of an issuer.
const KEYS_MAX: usize = 100;
/// Tolerated clock difference, in seconds.
const LEEWAY_S: u64 = 60;

/// One public key.
struct Key {
    id: Option<String>,
    algorithms: &'static [Algorithm],
    decoding: DecodingKey,
}

/// The keys of an issuer, and when they were fetched.
#[derive(Default)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

/// The result of verifying a token with the known keys.
#[derive(Debug, PartialEq)]
pub(crate) enum Verified {
    /// The claims of a valid token.
    Valid(Map<String, Value>),
    /// The token is not valid.
    Invalid,
    /// The key is unknown, or all keys are old.
    NoKey,
}

impl Keys {
    /// Returns true if the keys may be fetched now, and records that they are being fetched.
    pub(crate) fn begin_fetch(&mut self, now: Instant) -> bool {
        let may = self.tried.is_none_or(|tried| now.duration_since(tried) >= PAUSE);
        if may {
            self.tried = Some(now);
        }
        may
    }

    /// Replaces the keys with those of a JSON Web Key Set. Returns false, and keeps the old ones, if none in the set can be used.
    pub(crate) fn replace(&mut self, set: &Map<String, Value>, now: Instant) -> bool {
        let listed = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        // A set may contain kinds of keys that this program does not know; the others are still used.
        let keys: Vec<Key> = listed.filter_map(key).take(KEYS_MAX).collect();
        let has_some = !keys.is_empty();
        if has_some {
            self.keys = keys;
            self.fetched = Some(now);
        }
        has_some
    }

    /// Verifies a token for an audience.
    pub(crate) fn verify(&self, token: &str, issuer: &str, audience: &str, now: Instant) -> Verified {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Verified::Invalid };
        if has_critical(token) {
            return Verified::Invalid;
        }
        let age = self.fetched.map(|fetched| now.duration_since(fetched));
        let is_waiting = self.tried.is_some_and(|tried| now.duration_since(tried) < PAUSE);
        let is_usable = age.is_some_and(|age| age < FRESH || (is_waiting && age < USABLE));
        let named = |key: &&Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
        let mut candidates = self.keys.iter().filter(named).peekable();
        if !is_usable || candidates.peek().is_none() {
            return Verified::NoKey;
        }
        let found = candidates.find_map(|key| key.claims(token, &header, issuer, audience));
        found.map_or(Verified::Invalid, Verified::Valid)
    }
}

impl Key {
    fn claims(&self, token: &str, header: &Header, issuer: &str, audience: &str) -> Option<Map<String, Value>> {
        // The algorithm follows from the kind of the key, so a token cannot choose a weaker one.
        if !self.algorithms.contains(&header.alg) {
            return None;
        }
        let mut expected = Validation::new(header.alg);
        expected.leeway = LEEWAY_S;
        expected.validate_nbf = true;
        expected.set_audience(&[audience]);
        expected.set_issuer(&[issuer]);
        expected.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        decode(token, &self.decoding, &expected).ok().map(|token| token.claims)
    }
}

/// Returns true if a token's header requires extensions to be understood (RFC 7515, 4.1.11). This program understands none.
fn has_critical(token: &str) -> bool {
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Map<String, Value>> = header.and_then(|header| serde_json::from_slice(&header).ok());
    header.is_none_or(|header| header.contains_key("crit"))
}

/// Parses a key; none if it is not for signatures, or of an unknown kind.
fn key(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    let is_for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature)
        && jwk.common.key_operations.as_ref().is_none_or(verifies);
    let algorithms: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => &[Algorithm::EdDSA],
        // A shared secret is not a public key.
        AlgorithmParameters::OctetKey(_) => return None,
    };
    let decoding = DecodingKey::from_jwk(&jwk).ok().filter(|_| is_for_signatures)?;
    Some(Key { id: jwk.common.key_id, algorithms, decoding })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, encode};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;
    use std::time::{SystemTime, UNIX_EPOCH};

    /// The header of an Ed25519 key in PKCS #8 (RFC 8410); the seed follows.
    const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

    fn public(seed: u8) -> String {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        URL_SAFE_NO_PAD.encode(pair.public_key())
    }

    fn set(keys: &[(&str, u8)]) -> Map<String, Value> {
        let keys = keys.iter().map(|(id, seed)| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": public(*seed)}));
        // Keys of unknown kinds and keys for encryption are skipped.
        let others = [
            json!({"kty": "AKP", "kid": "new"}),
            json!({"kty": "OKP", "crv": "Ed25519", "use": "enc", "x": public(9)}),
        ];
        let all: Vec<Value> = others.into_iter().chain(keys).collect();
        json!({"keys": all}).as_object().cloned().expect("an object")
    }

    fn now_s() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example", "aud": "api", "sub": "u1", "exp": now_s() + 600})
    }

    fn signed(id: Option<&str>, seed: u8, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &EncodingKey::from_ed_der(&[&PKCS8[..], &[seed; 32]].concat())).expect("signed")
    }

    fn verify(keys: &Keys, token: &str, now: Instant) -> Verified {
        keys.verify(token, "https://id.example", "api", now)
    }

    fn is_valid(keys: &Keys, token: &str, now: Instant) -> bool {
        matches!(verify(keys, token, now), Verified::Valid(claims) if claims["sub"] == "u1")
    }

    #[test]
    fn a_token_counts_if_it_is_signed_and_is_of_the_issuer_for_us_and_has_not_expired() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        assert_eq!(verify(&keys, &signed(Some("a"), 1, &claims()), now), Verified::NoKey);
        assert!(keys.replace(&set(&[("a", 1), ("b", 2)]), now));
        assert!(is_valid(&keys, &signed(Some("a"), 1, &claims()), now));
        assert!(is_valid(&keys, &signed(None, 2, &claims()), now), "a token need not name its key");
        assert_eq!(verify(&keys, &signed(Some("a"), 2, &claims()), now), Verified::Invalid, "signed with another key");
        assert_eq!(verify(&keys, &signed(None, 9, &claims()), now), Verified::Invalid, "a key for encryption");
        for (name, value) in [
            ("iss", json!("https://other.example")),
            ("iss", Value::Null),
            ("aud", json!("shop")),
            ("aud", json!(["shop"])),
            ("aud", Value::Null),
            ("exp", json!(now_s() - 120)),
            ("exp", Value::Null),
            ("nbf", json!(now_s() + 120)),
            ("sub", Value::Null),
        ] {
            let mut changed = claims();
            match value.is_null() {
                true => drop(changed.as_object_mut().expect("claims").remove(name)),
                false => changed[name] = value.clone(),
            }
            assert_eq!(verify(&keys, &signed(Some("a"), 1, &changed), now), Verified::Invalid, "{name}: {value}");
        }
        let many = json!({"iss": "https://id.example", "aud": ["shop", "api"], "sub": "u1", "exp": now_s() - 30});
        assert!(is_valid(&keys, &signed(Some("a"), 1, &many), now), "one of several audiences, clocks differ a little");
        let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"EdDSA","kid":"a","crit":["b64"],"b64":true}"#);
        let rest = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims().to_string()));
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).expect("a key");
        let critical = format!("{rest}.{}", URL_SAFE_NO_PAD.encode(pair.sign(rest.as_bytes())));
        assert_eq!(verify(&keys, &critical, now), Verified::Invalid, "it has to be understood, and is not");
        for garbage in ["", "a.b.c", "x"] {
            assert_eq!(verify(&keys, garbage, now), Verified::Invalid);
        }
    }

    #[test]
    fn the_public_key_is_no_shared_secret() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        assert!(keys.replace(&set(&[("a", 1)]), now));
        let header = Header { kid: Some("a".to_owned()), ..Header::new(Algorithm::HS256) };
        let forged = encode(&header, &claims(), &EncodingKey::from_secret(public(1).as_bytes())).expect("signed");
        assert_eq!(verify(&keys, &forged, now), Verified::Invalid);
        let secret = json!({"keys": [{"kty": "oct", "kid": "s", "alg": "HS256", "k": "c2VjcmV0"}]});
        assert!(!keys.replace(secret.as_object().expect("an object"), now), "the keys before stay");
        assert!(is_valid(&keys, &signed(Some("a"), 1, &claims()), now));
    }

    #[test]
    fn keys_are_replaced_and_old_ones_count_only_while_the_issuer_does_not_answer() {
        let (mut keys, begin) = (Keys::default(), Instant::now());
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let [old, new] = [("a", 1), ("b", 2)].map(|(id, seed)| signed(Some(id), seed, &claims()));
        assert!(keys.begin_fetch(at(0)) && keys.replace(&set(&[("a", 1)]), at(0)));
        assert_eq!(verify(&keys, &new, at(1)), Verified::NoKey, "the issuer has a new key");
        assert!(!keys.begin_fetch(at(4)), "strangers cannot make the server ask all the time");
        assert!(keys.begin_fetch(at(15)) && keys.replace(&set(&[("b", 2)]), at(15)));
        assert!(is_valid(&keys, &new, at(15)));
        assert_eq!(verify(&keys, &old, at(15)), Verified::NoKey, "the issuer has withdrawn the key");
        assert!(is_valid(&keys, &new, at(15 + 3_599)));
        assert_eq!(verify(&keys, &new, at(15 + 3_600)), Verified::NoKey, "it is time to ask");
        assert!(keys.begin_fetch(at(4_000)), "the issuer does not answer");
        assert!(is_valid(&keys, &new, at(4_004)));
        assert_eq!(verify(&keys, &new, at(4_005)), Verified::NoKey, "it is asked again");
        assert!(keys.begin_fetch(at(15 + 24 * 3_600)));
        assert_eq!(verify(&keys, &new, at(15 + 24 * 3_600)), Verified::NoKey, "too old");
    }
}
