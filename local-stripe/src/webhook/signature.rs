//! The header `Stripe-Signature`: the time `t`, then one signature `v1` for each valid secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Returns the header's value for a body that is sent at a time in Unix seconds.
pub fn header(secrets: &[String], time_s: i64, body: &[u8]) -> String {
    let mut header = format!("t={time_s}");
    for secret in secrets {
        header.push_str(",v1=");
        header.push_str(&sign(secret, time_s, body));
    }
    header
}

/// Returns one signature in hexadecimal.
pub fn sign(secret: &str, time_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{time_s}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_body_are_signed_with_every_secret() {
        // The expected signature was computed with `printf '1.{}' | openssl dgst -sha256 -hmac whsec_a`.
        let expected = "7aaed73a0f45f657eacd5c9b580562745d6023b1e3e6d17dce076b81940aa046";
        assert_eq!(sign("whsec_a", 1, b"{}"), expected);
        let both = header(&["whsec_a".into(), "whsec_b".into()], 1, b"{}");
        assert_eq!(both, format!("t=1,v1={expected},v1={}", sign("whsec_b", 1, b"{}")));
    }
}
