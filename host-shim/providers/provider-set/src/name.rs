//! Names of providers in options and settings.

use std::fmt;
use std::str::FromStr;

/// A provider's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Functions, buckets, distributions and dedicated databases of AWS.
    Aws,
    /// Buckets of Backblaze B2.
    B2,
    /// Databases, buckets, functions and mails on this machine.
    Local,
    /// Health probes.
    Http,
    /// The usage in the spend log of a LiteLLM proxy.
    Litellm,
    /// Databases on shared PostgreSQL servers.
    Postgres,
    /// Credentials of a registry for images.
    Registry,
    /// A business's own effects, at a service of the business.
    Service,
    /// Mails by SMTP.
    Smtp,
    /// Stripe's API.
    Stripe,
    /// Databases at Supabase.
    Supabase,
}

impl Name {
    /// All providers.
    pub const ALL: [Name; 11] = [
        Name::Aws,
        Name::B2,
        Name::Http,
        Name::Litellm,
        Name::Local,
        Name::Postgres,
        Name::Registry,
        Name::Service,
        Name::Smtp,
        Name::Stripe,
        Name::Supabase,
    ];

    /// Returns the name as it is written in options and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Aws => "aws",
            Name::B2 => "b2",
            Name::Http => "http",
            Name::Litellm => "litellm",
            Name::Local => "local",
            Name::Postgres => "postgres",
            Name::Registry => "registry",
            Name::Service => "service",
            Name::Smtp => "smtp",
            Name::Stripe => "stripe",
            Name::Supabase => "supabase",
        }
    }
}

impl Name {
    /// Returns the cargo feature that includes the provider. The feature `stripe` also includes the local Stripe.
    pub fn feature(self) -> &'static str {
        match self {
            Name::B2 => "aws",
            Name::Service => "http",
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
