//! API versions: a date and, since acacia, a release name. They are ordered by date.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version with the newest supported shape. A later version gets this shape, too.
pub const NEWEST: &str = "2026-10-28.endive";
/// The version with the oldest supported shape.
pub const OLDEST: &str = "2020-08-27";
/// The version that the Stripe CLI uses to read webhook endpoints. It gets the oldest shape.
pub const CLI: &str = "2019-03-14";
/// The versions whose shapes the tests compare with Stripe's examples, key by key.
pub const CHECKED: &[&str] =
    &["2020-08-27", "2022-11-15", "2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", NEWEST];

/// An API version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// The error for an invalid API version, and for a version older than [`OLDEST`], except [`CLI`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Invalid Stripe API version: {0}")]
pub struct VersionError(String);

impl Version {
    /// Whether the version is older than a version or date such as `2025-03-31.basil`.
    pub fn is_before(&self, date: &str) -> bool {
        self.0.get(..10).unwrap_or_default() < date.get(..10).unwrap_or_default()
    }

    /// Returns the version as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.chars().take(40).collect());
        let (date, train) = match text.split_once('.') {
            Some((date, train)) => (date, Some(train)),
            None => (text, None),
        };
        let shape_ok = date.len() == 10
            && date.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        let train_ok = train.is_none_or(|t| (1..=24).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_lowercase()));
        if !shape_ok || !train_ok || (date < OLDEST && text != CLI) {
            return Err(wrong());
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<&'static str> for Version {
    fn from(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_parsed_and_ordered_by_date() {
        let old: Version = "2020-08-27".parse().unwrap();
        assert!(old.is_before("2025-03-31.basil"));
        assert!(!Version::from(NEWEST).is_before("2025-03-31.basil"));
        assert!(CLI.parse::<Version>().unwrap().is_before(OLDEST));
        for wrong in ["", "2019-12-03", "2020-8-27", "2025-03-31.", "2025-03-31.Basil", "latest", "2025é03-31"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
