//! The country of a visitor, by which a page preselects a currency. It grants nothing: the visitor can choose another currency.

use axum::http::{HeaderMap, HeaderName, header};

/// Returns the two letters of the visitor's country: those in the proxy's header, or the region of the language that the browser lists
/// first, as in `de-AT`.
pub(super) fn country(headers: &HeaderMap, of_proxy: Option<&HeaderName>) -> Option<String> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let of_language = || {
        let first = text(&header::ACCEPT_LANGUAGE)?.split([',', ';']).next()?;
        first.split('-').skip(1).find_map(code)
    };
    of_proxy.and_then(text).and_then(code).or_else(of_language)
}

/// Returns a country code in upper case. `XX` and `T1` are the codes of proxies for an unknown country and for Tor.
fn code(text: &str) -> Option<String> {
    let text = text.trim();
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    Some(text.to_ascii_uppercase()).filter(|code| is_code && code != "XX")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_proxy_knows_the_country_better_than_the_language() {
        let header = HeaderName::from_static("cf-ipcountry");
        for (language, proxy, named, of) in [
            (Some("de-AT,de;q=0.9,en-US;q=0.8"), None, true, Some("AT")),
            (Some("zh-Hant-tw"), None, true, Some("TW")),
            // Many browsers add American English to every language.
            (Some("de,en-US;q=0.7"), None, true, None),
            (Some("en-US"), Some("CH"), true, Some("CH")),
            (Some("en-US"), Some("CH"), false, Some("US")),
            (Some("en-US"), Some("XX"), true, Some("US")),
            (Some("en-US"), Some("T1"), true, Some("US")),
            (Some("*"), None, true, None),
            (None, None, true, None),
        ] {
            let mut headers = HeaderMap::new();
            let mut set = |name: HeaderName, value: Option<&'static str>| {
                headers.extend(value.map(|value| (name, HeaderValue::from_static(value))));
            };
            set(header::ACCEPT_LANGUAGE, language);
            set(header.clone(), proxy);
            assert_eq!(country(&headers, named.then_some(&header)).as_deref(), of, "{language:?} {proxy:?}");
        }
    }
}
