//! Conditions in a catalog. All have one form: `if` names a plan, an entitlement or a configuration key. The condition
//! is met while the account has a plan or the entitlement, or while the key has a value.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `plan`: the account has a plan; a default plan is enough.
    Plan,
    /// `allowed.ENTITLEMENT`: the entitlement is granted.
    Allowed(String),
    /// `config.KEY`: the configuration has a value.
    Config(String),
}

/// Beginning of a condition about an entitlement.
const ALLOWED: &str = "allowed.";
/// Beginning of a condition about the configuration.
const CONFIG: &str = "config.";
/// The condition about a plan.
const PLAN: &str = "plan";

impl Condition {
    /// Returns the entitlement that must be granted; `None` for any other condition.
    pub(crate) fn entitlement(&self) -> Option<&str> {
        match self {
            Condition::Allowed(key) => Some(key),
            Condition::Plan | Condition::Config(_) => None,
        }
    }

    /// Returns the configuration key that must have a value; `None` for any other condition.
    pub(crate) fn config_key(&self) -> Option<&str> {
        match self {
            Condition::Config(key) => Some(key),
            Condition::Plan | Condition::Allowed(_) => None,
        }
    }

    /// Parses a condition.
    pub(crate) fn parse(text: &str) -> Option<Condition> {
        let named = |prefix: &str| text.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
        match text {
            PLAN => Some(Condition::Plan),
            _ => named(ALLOWED).map(Condition::Allowed).or_else(|| named(CONFIG).map(Condition::Config)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Plan => f.write_str(PLAN),
            Condition::Allowed(key) => write!(f, "{ALLOWED}{key}"),
            Condition::Config(key) => write!(f, "{CONFIG}{key}"),
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let expected = "`plan`, `allowed.ENTITLEMENT` or `config.KEY`";
        Condition::parse(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_written_as_it_is_read() {
        for text in ["plan", "allowed.may_boost", "allowed.download:{product.id}", "config.zone"] {
            assert_eq!(Condition::parse(text).expect(text).to_string(), text);
        }
        for bad in ["", "may_boost", "plan.tier", "allowed.", "config", "{config.zone}"] {
            assert_eq!(Condition::parse(bad), None, "{bad}");
        }
        let about = |text: &str| Condition::parse(text).expect("a condition");
        assert_eq!((about("allowed.a").entitlement(), about("config.a").entitlement()), (Some("a"), None));
        assert_eq!((about("config.a").config_key(), about("plan").config_key()), (Some("a"), None));
    }
}
