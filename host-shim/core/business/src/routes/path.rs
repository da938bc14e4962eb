//! Methods and paths of routes: `GET /api/projects/{slug}/deploy`.

use crate::routes::types::is_member_name;
use crate::yaml::{Checked, Checker, Entry};
use std::fmt;

/// Maximum length of a path in bytes.
const PATH_BYTES_MAX: usize = 200;
/// Paths, and path prefixes, that a server answers itself.
const TAKEN: [&str; 14] = [
    "/.well-known",
    "/api/auth",
    "/api/commands",
    "/api/endpoints",
    "/api/entitlements",
    "/api/events",
    "/api/operator",
    "/api/queries",
    "/api/registry",
    "/api/webhooks",
    "/assets",
    "/do",
    "/health",
    "/metrics",
];
/// A further path that a server answers itself.
const TAKEN_WHOLE: &str = "/openapi.json";

/// The method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// All methods with their names.
    pub const ALL: [(Method, &'static str); 5] = [
        (Method::Delete, "DELETE"),
        (Method::Get, "GET"),
        (Method::Patch, "PATCH"),
        (Method::Post, "POST"),
        (Method::Put, "PUT"),
    ];

    /// Returns the method with the given name; none if there is no such method.
    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.iter().find(|(_, known)| *known == name).map(|(method, _)| *method)
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        Method::ALL.iter().find(|(known, _)| *known == self).map_or("GET", |(_, name)| name)
    }

    /// Returns true if requests have a body.
    pub fn has_body(self) -> bool {
        matches!(self, Method::Patch | Method::Post | Method::Put)
    }
}

/// A path with variable parts, each of which is a whole segment: `/api/projects/{slug}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names of the variable parts.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter_map(variable)
    }
}

/// Percent-decodes a segment of a path; none if the result is not UTF-8.
pub fn decoded(part: &str) -> Option<String> {
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Returns the name of a variable part of a path; none for a fixed part.
fn variable(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// Paths that pages cannot have because a server answers them itself, or because they belong to the API.
const NO_PAGES: [&str; 5] = ["/api", "/assets", "/b", "/do", "/ext"];

/// Reads the path of a page.
pub(crate) fn read_page(check: &Checker, entry: &Entry) -> Checked<Pattern> {
    if entry.key == "GET /" {
        return Ok(Pattern("/".to_owned()));
    }
    let (_, pattern) = read(check, entry, None)?;
    let first = pattern.as_str().split('/').nth(1).unwrap_or_default();
    match NO_PAGES.iter().any(|taken| taken[1..] == *first) {
        false => Ok(pattern),
        true => {
            let expected = format!("a path that is not below {}", NO_PAGES.join(", "));
            Err(check.bad(entry.place(), format!("`{pattern}` cannot be the path of a page"), expected))
        }
    }
}

/// Returns true for a path that a server answers itself, so that no business may have it.
pub fn is_taken(path: &str) -> bool {
    let is_below = |taken: &str| path.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    TAKEN.iter().any(|taken| is_below(taken)) || path == TAKEN_WHOLE
}

/// Reads the key of a route. In a feature, the path must be below the path of the feature.
pub(crate) fn read(check: &Checker, entry: &Entry, below: Option<&str>) -> Checked<(Method, Pattern)> {
    let wrong = |problem: String, expected: String| Err(check.bad(entry.place(), problem, expected));
    let (name, path) = entry.key.split_once(' ').unwrap_or((&entry.key, ""));
    let Some(method) = Method::named(name) else {
        let names = Method::ALL.map(|(_, name)| name).join(", ");
        return wrong(format!("`{}` is not a route", entry.key), format!("{names}, and a path"));
    };
    let path = path.trim();
    let whole = match (below, path) {
        (Some(below), "/") => below.to_owned(),
        (Some(below), path) => format!("{below}{path}"),
        (None, path) => path.to_owned(),
    };
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    let is_part = |part: &str| match variable(part) {
        Some(name) => is_member_name(name),
        None => !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_letter),
    };
    let is_path = path.starts_with('/') && whole[1..].split('/').all(is_part);
    if !is_path || whole.len() > PATH_BYTES_MAX {
        return wrong(
            format!("`{path}` cannot be a path"),
            format!("a path of at most {PATH_BYTES_MAX} bytes, such as /api/projects/{{slug}}"),
        );
    }
    if is_taken(&whole) {
        let taken: Vec<&str> = TAKEN.into_iter().chain([TAKEN_WHOLE]).collect();
        return wrong(format!("every server has `{whole}`"), format!("another path than {}", taken.join(", ")));
    }
    let pattern = Pattern(whole);
    let mut names: Vec<&str> = pattern.names().collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => wrong(format!("`{path}` has `{{{}}}` twice", pair[0]), "a name of its own for each part".into()),
        None => Ok((method, pattern)),
    }
}
