//! Addresses to which Stripe's pages lead back. A path, such as `/billing`, is a path of the business's site: whoever
//! carries out the effect puts the site's address before it, so the catalog and the decisions are the same on every
//! host.

use super::product::text;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::Object;
use extension_contract::{FieldError, FieldErrorCode};

/// The hosts that may be addressed without encryption: this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Reads an optional return address of a command. Fails if it is neither a path of the site nor at one of the business's origins.
pub(crate) fn given(body: &Object, field: &str, origins: &[String]) -> Ruled<Option<String>> {
    let Some(url) = text(body, field)? else { return Ok(None) };
    let is_own = origins.iter().any(|origin| {
        url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    });
    if is_own || is_path(&url) {
        return Ok(Some(url));
    }
    let origins: Vec<String> = origins.iter().map(|origin| format!(" or an address at {origin}")).collect();
    let (found, expected) = ("", format!("a path of the site such as `/billing`{}", origins.join(",")));
    Err(wrong_field(&format!("/{field}"), FieldErrorCode::NotAllowed, found, expected))
}

/// Returns what is wrong with a return address of the catalog. It is a path of the site, or an address with `https://`,
/// on this machine also `http://`.
pub(crate) fn check(url: &str, pointer: &str) -> Option<FieldError> {
    let host = |rest: &str| rest.split(['/', '?', '#']).next().map(str::to_owned).filter(|host| !host.is_empty());
    let https = url.strip_prefix("https://").and_then(host);
    let http = url.strip_prefix("http://").and_then(host);
    let is_here = |host: &String| {
        let port = LOOPBACK.iter().find_map(|own| host.strip_prefix(own));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(is_number))
    };
    if is_path(url) || is_plain(url) && (https.is_some() || http.as_ref().is_some_and(is_here)) {
        return None;
    }
    let (write, meant) = match (&http, url.split_once("://")) {
        (Some(_), Some((_, rest))) if is_plain(url) => (format!("https://{rest}"), Some(format!("https://{rest}"))),
        (None, None) if !url.is_empty() && !url.starts_with('/') && is_plain(url) => {
            // A name with a dot is rather a host than a path of the site.
            let is_host = url.split('/').next().is_some_and(|first| first.contains('.') && !first.contains('{'));
            let meant = if is_host { format!("https://{url}") } else { format!("/{url}") };
            (format!("`/{url}` for a page of this site, or an address that begins with `https://`"), Some(meant))
        }
        _ => ("a path of this site such as `/billing`, or an address that begins with `https://`".to_owned(), None),
    };
    let found = format!("Stripe can't lead back to `{url}`");
    Some(FieldError::new(pointer, FieldErrorCode::BadFormat, found).expecting(write).meaning(meant))
}

/// Returns true for a path of the site. `//host` is the address of another site.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && is_plain(text)
}

/// Returns true if a browser reads a text as it is written: without spaces, control characters and backslashes.
fn is_plain(text: &str) -> bool {
    !text.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::Halt;
    use extension_contract::Refusal;
    use serde_json::json;

    fn refused(ruled: Ruled<impl Sized>) -> Option<String> {
        match ruled {
            Ok(_) => None,
            Err(Halt::Refused(Refusal::Invalid(errors))) => Some(errors[0].message()),
            Err(_) => panic!("another halt"),
        }
    }

    #[test]
    fn a_return_address_of_the_catalog_is_a_path_or_encrypted_or_of_this_machine() {
        for right in [
            "/",
            "/dashboard?success=true&session_id={CHECKOUT_SESSION_ID}",
            "https://app.example/paid",
            "https://app.example",
            "http://localhost:3000/paid",
            "http://127.0.0.1/paid",
            "http://[::1]:80",
        ] {
            assert_eq!(check(right, "/policies/success_url"), None, "{right}");
        }
        let usual = "a path of this site such as `/billing`, or an address that begins with `https://`";
        for (wrong, expected) in [
            ("http://app.example/paid", "https://app.example/paid"),
            ("http://localhost.evil.example", "https://localhost.evil.example"),
            ("http://localhost:x@evil.example", "https://localhost:x@evil.example"),
            ("dashboard", "`/dashboard` for a page of this site, or an address that begins with `https://`"),
            ("", usual),
            ("//app.example/paid", usual),
            ("/\\app.example", usual),
            ("/two words", usual),
            ("ftp://app.example", usual),
            ("https://", usual),
        ] {
            let told = format!("Stripe can't lead back to `{wrong}`: expected {expected}");
            assert_eq!(check(wrong, "/policies/success_url").map(|error| error.message()), Some(told));
        }
    }

    #[test]
    fn a_command_returns_to_the_site_or_to_an_origin_of_the_business() {
        let origins = ["https://app.example".to_owned()];
        let given = |url: &str| {
            let body = json!({"return_url": url});
            refused(given(body.as_object().expect("an object"), "return_url", &origins))
        };
        for right in ["/billing?changed=now", "https://app.example", "https://app.example/a"] {
            assert_eq!(given(right), None, "{right}");
        }
        for wrong in
            ["//evil.example", "/\\evil.example", "https://app.example.evil.example", "https://evil.example", ""]
        {
            let expected = "expected a path of the site such as `/billing` or an address at https://app.example";
            assert_eq!(given(wrong).as_deref(), Some(expected), "{wrong}");
        }
    }
}
