//! Names of providers in the configuration, in options and in settings.

use std::fmt;
use std::str::FromStr;

/// The name of a provider, out of all that this project has; a program may be built without some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderName {
    /// Functions, buckets, distributions and dedicated databases of AWS.
    Aws,
    /// Buckets of Backblaze B2.
    B2,
    /// Databases, buckets, functions and mails on this machine.
    Local,
    /// Health probes.
    Http,
    /// Usage from the spend log of a LiteLLM proxy.
    Litellm,
    /// Databases on shared PostgreSQL servers.
    Postgres,
    /// Credentials for an image registry.
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

impl ProviderName {
    /// All providers.
    pub const ALL: [ProviderName; 11] = [
        ProviderName::Aws,
        ProviderName::B2,
        ProviderName::Http,
        ProviderName::Litellm,
        ProviderName::Local,
        ProviderName::Postgres,
        ProviderName::Registry,
        ProviderName::Service,
        ProviderName::Smtp,
        ProviderName::Stripe,
        ProviderName::Supabase,
    ];

    /// Returns the name as it is written in options and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            ProviderName::Aws => "aws",
            ProviderName::B2 => "b2",
            ProviderName::Http => "http",
            ProviderName::Litellm => "litellm",
            ProviderName::Local => "local",
            ProviderName::Postgres => "postgres",
            ProviderName::Registry => "registry",
            ProviderName::Service => "service",
            ProviderName::Smtp => "smtp",
            ProviderName::Stripe => "stripe",
            ProviderName::Supabase => "supabase",
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProviderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = ProviderName::ALL.map(ProviderName::as_str);
        let found = ProviderName::ALL.into_iter().find(|name| name.as_str() == text);
        found.ok_or_else(|| format!("expected one of {}", known.join(", ")))
    }
}
