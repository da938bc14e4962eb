//! Settings of the provider.

use host_http::ExchangeLimits;
use host_provider_api::Secret;
use std::collections::BTreeMap;
use std::time::Duration;

/// Address of the management API.
const API: &str = "https://api.supabase.com";

/// Settings of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Personal access token, `sbp_…`, or an OAuth application's token; without it every call is refused as
    /// `not-configured`.
    pub token: Option<Secret>,
    /// Slug of the organization if the payload has none.
    pub organization: Option<String>,
    /// Region if the payload has none.
    pub region: String,
    /// Machine size by the payload's `plan`, for example `micro`; by default Supabase's smallest. The paid plan is set
    /// at the organization.
    pub instance_sizes: BTreeMap<String, String>,
    /// Base URL of the API, without a trailing slash.
    pub url: String,
    /// Limits of one request.
    pub limits: ExchangeLimits,
    /// Delay before the first poll; it doubles with each poll, up to sixteen times.
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
