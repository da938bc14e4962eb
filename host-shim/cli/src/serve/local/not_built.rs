//! Stands in for the local Stripe in a program that was built without it.

use crate::not_built::{LOCAL_STRIPE, missing};
use extension_contract::Timestamp;
use host_daemon::data::DataFolder;
use host_daemon::{LocalClock, SoldPrice};
use host_intake::SecretConfig;
use host_provider_api::ProviderName;

/// A type without values: this program can't start a local Stripe.
pub(super) enum LocalStripe {}

/// Returns no provider, since local mode does not start.
pub(super) fn providers() -> Vec<ProviderName> {
    Vec::new()
}

impl LocalStripe {
    pub(super) fn start(_: DataFolder, _: Option<u16>, _: &str) -> anyhow::Result<(LocalStripe, Vec<SecretConfig>)> {
        Err(missing(LOCAL_STRIPE).into())
    }

    pub(super) fn url(&self) -> String {
        match *self {}
    }

    pub(super) fn add_prices(&self, _: &[SoldPrice]) -> Vec<String> {
        match *self {}
    }

    pub(super) fn address(&self) -> host_provider_set::LocalStripe {
        match *self {}
    }
}

impl LocalClock for LocalStripe {
    fn next_due(&self, _: Timestamp) -> Option<Timestamp> {
        match *self {}
    }

    fn advance_to(&self, _: Timestamp) {
        match *self {}
    }

    fn keep_ahead_ms(&self, _: i64) {
        match *self {}
    }
}
