//! What the provider is told once.

use host_http::ExchangeLimits;
use host_provider_api::Secret;
use std::collections::BTreeMap;
use std::time::Duration;

/// Address of the management API.
const API: &str = "https://api.supabase.com";

/// Settings of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Personal access token, `sbp_…`, or a token of an OAuth application; without it every call is refused as
    /// `not-configured`.
    pub token: Option<Secret>,
    /// Slug of the organization for payloads that name none.
    pub organization: Option<String>,
    /// Region for payloads that name none.
    pub region: String,
    /// Size of the machine by the payload's `plan`, `micro`; without one Supabase takes the smallest. What an organization
    /// pays for is set at the organization.
    pub instance_sizes: BTreeMap<String, String>,
    /// Address of the API, without a slash at the end.
    pub url: String,
    /// What one request may take.
    pub limits: ExchangeLimits,
    /// Wait before the first look at work in progress; it doubles with each look, up to sixteen times as much.
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
