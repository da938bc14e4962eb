//! Recognises secrets in a text by the known prefixes that common services use.

/// Prefixes of secrets, each with the number of further characters from which it counts as a secret rather than an
/// example.
const BEGINNINGS: [(&str, usize); 12] = [
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("rk_test_", 8),
    ("whsec_", 8),
    ("sbp_", 8),
    ("AKIA", 12),
    ("eyJhbGciOi", 8),
    ("SG.", 16),
    ("ghp_", 16),
    ("xoxb-", 8),
    ("-----BEGIN ", 8),
];

/// Returns the prefix of the first secret in a text, or none if the text contains no secret.
pub fn literal_secret(text: &str) -> Option<&'static str> {
    next(text).map(|found| found.begin)
}

/// Returns the text with each secret cut off after its prefix.
pub fn without_secrets(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(found) = next(rest) {
        out.push_str(&rest[..found.at + found.begin.len()]);
        out.push('…');
        rest = &rest[found.end..];
    }
    out + rest
}

struct Found {
    begin: &'static str,
    at: usize,
    end: usize,
}

/// Returns the first secret in a text.
fn next(text: &str) -> Option<Found> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-+/=. ".contains(c);
    let found = BEGINNINGS.into_iter().filter_map(|(begin, least)| {
        text.match_indices(begin).find_map(|(at, _)| {
            let rest = &text[at + begin.len()..];
            let long = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (long >= least).then_some(Found { begin, at, end: at + begin.len() + long })
        })
    });
    found.min_by_key(|found| found.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: SOL-46
    #[test]
    fn secrets_of_the_common_services_are_found_and_cut() {
        for (begin, least) in BEGINNINGS {
            let text = format!("key: {begin}{}, more", "a".repeat(least));
            assert_eq!(literal_secret(&text), Some(begin));
            assert_eq!(without_secrets(&text), format!("key: {begin}…, more"));
            assert_eq!(literal_secret(&format!("{begin}…")), None, "an example");
        }
        assert_eq!(literal_secret("${STRIPE_SECRET_KEY}"), None);
        assert_eq!(without_secrets("[sk_live_123456789], whsec_123456789, x"), "[sk_live_…], whsec_…, x");
    }
}
