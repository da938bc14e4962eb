//! Variables and values that are set but have no effect. A server lists them once when it starts, with the reason.

use std::fmt;

/// A variable, or a value in the configuration file, that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unused {
    /// Name of the variable, or of the value.
    pub name: String,
    /// The reason.
    pub reason: String,
}

impl Unused {
    pub(crate) fn new(name: &str, reason: impl Into<String>) -> Unused {
        Unused { name: name.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not used: {}", self.name, self.reason)
    }
}
