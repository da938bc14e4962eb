//! Settings of the provider: token, project defaults, and request limits.

use crate::http::ExchangeLimits;
use host_provider_api::Secret;
use std::collections::BTreeMap;
use std::time::Duration;

/// Address of the management API.
const API: &str = "https://api.supabase.com";

/// Settings of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Personal access token, `sbp_…`, or an OAuth application's token. Without a token, every call is refused with the
    /// code `not-configured`.
    pub token: Option<Secret>,
    /// Slug of the organization if the payload has none.
    pub organization: Option<String>,
    /// Region if the payload has none.
    pub region: String,
    /// Machine sizes, for example `micro`, by the payload's `plan`. For other plans, Supabase chooses the size. A
    /// paid Supabase plan is not set here: it is a setting of the Supabase organization.
    pub instance_sizes: BTreeMap<String, String>,
    /// Base URL of the API, without a trailing slash.
    pub url: String,
    /// Limits of one request.
    pub limits: ExchangeLimits,
    /// Delay before the first poll. It doubles with each poll, up to sixteen times the first delay.
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            token: None,
            organization: None,
            region: "eu-central-1".to_owned(),
            instance_sizes: BTreeMap::new(),
            url: API.to_owned(),
            limits: ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 4 * 1024 * 1024 },
            poll: Duration::from_secs(4),
        }
    }
}
