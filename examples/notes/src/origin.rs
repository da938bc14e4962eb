//! Recognizes requests that a page of another site may have sent. Such pages must not change anything.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns true if a page of another site may have sent the request. Programs send neither header.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(&SEC_FETCH_SITE) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(&ORIGIN) else { return false };
    let host = origin.split_once("://").map(|(_, host)| host).unwrap_or_default();
    host.is_empty() || !text(&HOST).is_some_and(|own| own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn foreign(headers: &[(HeaderName, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        is_foreign(&headers.collect())
    }

    #[test]
    fn only_pages_of_the_same_origin_and_programs_change_something() {
        let host = (HOST, "acme.localhost:1");
        assert!(!foreign(std::slice::from_ref(&host)));
        for (site, expected) in [("same-origin", false), ("none", false), ("same-site", true), ("cross-site", true)] {
            assert_eq!(foreign(&[host.clone(), (SEC_FETCH_SITE, site)]), expected, "{site}");
        }
        for (origin, expected) in [
            ("http://acme.localhost:1", false),
            ("http://ACME.localhost:1", false),
            ("http://acme.localhost:2", true),
            ("http://evil.example", true),
            ("null", true),
            ("", true),
        ] {
            assert_eq!(foreign(&[host.clone(), (ORIGIN, origin)]), expected, "{origin}");
        }
        assert!(foreign(&[(ORIGIN, "http://acme.localhost:1")]), "without a host nothing is equal");
        let both = [host, (ORIGIN, "http://acme.localhost:1"), (SEC_FETCH_SITE, "cross-site")];
        assert!(foreign(&both), "`Sec-Fetch-Site` decides if both are there");
    }
}
