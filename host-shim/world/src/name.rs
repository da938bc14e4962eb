//! Names of providers, as they are asked for.

use std::fmt;
use std::str::FromStr;

/// A provider that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Databases, buckets, functions and mails on this machine.
    Local,
    /// Watches of health.
    Http,
    /// Mails to a server.
    Smtp,
    /// What is asked of Stripe.
    Stripe,
}

impl Name {
    /// All of them.
    pub const ALL: [Name; 4] = [Name::Local, Name::Http, Name::Smtp, Name::Stripe];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Local => "local",
            Name::Http => "http",
            Name::Smtp => "smtp",
            Name::Stripe => "stripe",
        }
    }
}

impl Name {
    /// The feature of the program that brings it in; `stripe` is that of the local Stripe.
    pub fn feature(self) -> &'static str {
        match self {
            Name::Stripe => "stripe-provider",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Name::ALL.map(Name::as_str);
        let found = Name::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}", known.join(", ")))
    }
}
