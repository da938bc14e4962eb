//! API versions: a date and, since acacia, a release name. They are ordered by date.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The newest version.
pub const NEWEST: &str = "2026-10-28.endive";
/// The oldest supported version.
pub const OLDEST: &str = "2020-08-27";
/// The version that the Stripe CLI uses to read webhook endpoints. It gets the oldest shape.
pub const CLI: &str = "2019-03-14";
/// The versions whose shapes the tests compare with Stripe's examples, key by key.
pub const CHECKED: &[&str] =
    &["2020-08-27", "2022-11-15", "2024-09-30.acacia", "2025-03-31.basil", "2025-09-30.clover", NEWEST];

/// The versions that Stripe released, from [`OLDEST`] to [`NEWEST`].
pub const RELEASED: &[&str] = &[
    OLDEST,
    "2022-08-01",
    "2022-11-15",
    "2023-08-16",
    "2023-10-16",
    "2024-04-10",
    "2024-06-20",
    "2024-09-30.acacia",
    "2024-10-28.acacia",
    "2024-11-20.acacia",
    "2024-12-18.acacia",
    "2025-01-27.acacia",
    "2025-02-24.acacia",
    "2025-03-31.basil",
    "2025-04-30.basil",
    "2025-05-28.basil",
    "2025-06-30.basil",
    "2025-07-30.basil",
    "2025-08-27.basil",
    "2025-09-30.clover",
    "2025-10-29.clover",
    "2025-11-17.clover",
    "2025-12-15.clover",
    "2026-01-28.clover",
    "2026-02-25.clover",
    "2026-03-25.dahlia",
    "2026-04-22.dahlia",
    "2026-05-27.dahlia",
    "2026-06-24.dahlia",
    "2026-07-29.dahlia",
    "2026-08-26.dahlia",
    "2026-09-30.endive",
    NEWEST,
];
/// The suffix that replaces a release's name in its preview version, such as `2025-03-31.preview`.
const PREVIEW: &str = "preview";

/// An API version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// The error for a version that is not [`RELEASED`], is not a preview of a named release, and is not [`CLI`].
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
        let is_named_on =
            |date: &str| RELEASED.iter().any(|version| version.split_once('.').is_some_and(|(d, _)| d == date));
        let is_preview = text.split_once('.').is_some_and(|(date, name)| name == PREVIEW && is_named_on(date));
        if text == CLI || is_preview || RELEASED.contains(&text) { Ok(Self(text.to_owned())) } else { Err(wrong()) }
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
        for known in RELEASED.iter().chain(CHECKED).chain(&["2026-09-30.preview"]) {
            assert!(known.parse::<Version>().is_ok(), "{known}");
        }
        assert!(RELEASED.is_sorted(), "oldest first");
        let unknown = [
            "2019-12-03",
            "2025-03-31",
            "2025-03-30.basil",
            "2025-03-31.clover",
            "2024-06-20.preview",
            "2030-01-01.zinnia",
        ];
        let invalid = ["", "2020-8-27", "2025-03-31.", "2025-03-31.Basil", "latest", "2025é03-31"];
        for wrong in unknown.iter().chain(&invalid) {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
