//! The browser cookies: one for a session, one for a login in progress at an issuer, one that marks a browser that has logged in
//! before, one with the account to which its user has switched, and one with what a form carries to its page.
//!
//! A browser sends its cookies with every request, no matter which page makes it. A request that changes something is therefore accepted
//! only if the browser says that it comes from a page of this server ([`is_from_own_page`]); forms need no hidden CSRF token.

use crate::state::HostedSite;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use extension_contract::Timestamp;

/// The cookie of a session.
pub(crate) const SESSION: &str = "session";
/// The cookie of a login at an issuer.
pub(crate) const LOGIN: &str = "login";
/// The cookie that marks a browser that has logged in before.
pub(crate) const BROWSER: &str = "browser";
/// The cookie with the account to which the user has switched, if it is not the user's own.
pub(crate) const ACCOUNT: &str = "account";
/// The cookie with what a form carries to the page that it leads to.
pub(crate) const FORM: &str = "form";
/// The header in which a browser says which kind of page makes a request (Fetch Metadata).
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns the name of a cookie. With the prefix, neither another host nor a page without TLS can set it.
fn name(hosted: &HostedSite, of: &str) -> String {
    let prefix = if hosted.has_tls() { "__Host-" } else { "" };
    format!("{prefix}{of}-{}", hosted.site.partition().business)
}

/// Returns the value of a cookie in a request.
pub(crate) fn read<'h>(hosted: &HostedSite, headers: &'h HeaderMap, of: &str) -> Option<&'h str> {
    let name = name(hosted, of);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(named, _)| *named == name).map(|(_, value)| value)
}

/// Returns the header that sets a cookie for some seconds; 0 deletes it. Returns none if the value is not allowed in a header.
pub(crate) fn set(hosted: &HostedSite, of: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if hosted.has_tls() { "; Secure" } else { "" };
    let line = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", name(hosted, of));
    HeaderValue::from_str(&line).ok()
}

/// Returns the header that sets the session cookie.
pub(crate) fn begin_session(hosted: &HostedSite, token: &str, expires_at: Timestamp) -> Option<HeaderValue> {
    let seconds = expires_at.saturating_sub(hosted.site.clock().now()).div_euclid(1_000);
    set(hosted, SESSION, token, seconds)
}

/// Returns the headers that delete what the browser has of a session: its cookie, and the account to which its user has switched.
pub(crate) fn end_session(hosted: &HostedSite, headers: &HeaderMap) -> Vec<HeaderValue> {
    let held = [SESSION, ACCOUNT, FORM].into_iter().filter(|of| read(hosted, headers, of).is_some());
    held.filter_map(|of| set(hosted, of, "", 0)).collect()
}

/// True if the browser says that the request comes from a page of this server, or from the user directly. False if it does not say.
pub(crate) fn is_from_own_page(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(SITE) {
        Some(site) => ["same-origin", "none"].contains(&site),
        // Older browsers send only the origin.
        None => {
            let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
            origin.zip(text(header::HOST)).is_some_and(|((_, origin), host)| origin.eq_ignore_ascii_case(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_server_or_the_person_makes_a_request_that_counts() {
        for (headers, expected) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (
                vec![("sec-fetch-site", "cross-site"), ("origin", "http://shop.example"), ("host", "shop.example")],
                false,
            ),
            (vec![("origin", "https://Shop.example"), ("host", "shop.example")], true),
            (vec![("origin", "http://shop.example:81"), ("host", "shop.example")], false),
            (vec![("origin", "https://evil.example"), ("host", "shop.example")], false),
            (vec![("origin", "null"), ("host", "null")], false),
            (vec![("host", "shop.example")], false),
        ] {
            let map =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(is_from_own_page(&map.collect()), expected, "{headers:?}");
        }
    }
}
