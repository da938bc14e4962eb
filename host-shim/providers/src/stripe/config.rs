//! Settings of the provider: keys, limits, and those settings of Stripe's objects that payloads do not contain.

use crate::http::ExchangeLimits;
use crate::stripe::failure::Failed;
use host_provider_api::Secret;
use std::time::Duration;

/// Base URL of Stripe's API.
const API: &str = "https://api.stripe.com";

/// A Stripe mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Live mode: real money.
    Live,
    /// Test mode.
    Test,
}

impl Mode {
    /// Returns the mode of a scope, `business/mode/account`.
    pub(crate) fn of(scope: &str) -> Result<Mode, Failed> {
        match scope.split('/').nth(1) {
            Some("live") => Ok(Mode::Live),
            Some("test") => Ok(Mode::Test),
            _ => Err(Failed::Scope),
        }
    }

    /// Returns the name of the mode in scopes.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Test => "test",
        }
    }

    fn prefixes(self) -> [&'static str; 2] {
        match self {
            Mode::Live => ["sk_live_", "rk_live_"],
            Mode::Test => ["sk_test_", "rk_test_"],
        }
    }
}

/// Type of connected accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountType {
    /// Stripe hosts the account's pages, and the platform is liable for losses.
    #[default]
    Express,
    /// The holder has a full Stripe account.
    Standard,
}

/// Settings of the provider.
#[derive(Clone, Debug)]
pub struct Config {
    /// Secret or restricted live-mode key, `sk_live_…` or `rk_live_…`. Required for calls in `live` scopes.
    pub live_key: Option<Secret>,
    /// Secret or restricted test-mode key, `sk_test_…` or `rk_test_…`. Required for calls in `test` scopes.
    pub test_key: Option<Secret>,
    /// Base URL of the API, without a trailing slash.
    pub url: String,
    /// Base address of the business's site, without a trailing slash. Paths to which customers return are relative to it.
    pub site: Option<String>,
    /// Limits of one request. Most calls send a few requests; a call for an invoice sends about fifty.
    pub limits: ExchangeLimits,
    /// Type of new connected accounts.
    pub account_type: AccountType,
    /// Country of new connected accounts, for example `DE`; by default the platform's country.
    pub account_country: Option<String>,
    /// Id of the customer portal configuration, `bpc_…`; by default the account's default configuration.
    pub portal_configuration: Option<String>,
    /// Days until a usage invoice is due. With this setting, Stripe mails the invoice; without it, Stripe charges the
    /// customer's payment method.
    pub invoice_days_until_due: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            live_key: None,
            test_key: None,
            url: API.to_owned(),
            site: None,
            // An invoice with lines and payments is far smaller than 1 MB; a page of a hundred events may be a few MB.
            limits: ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 8 * 1024 * 1024 },
            account_type: AccountType::default(),
            account_country: None,
            portal_configuration: None,
            invoice_days_until_due: None,
        }
    }
}

impl Config {
    /// Returns the key of a mode. Fails if there is no key or its prefix belongs to another mode.
    pub(crate) fn key(&self, mode: Mode) -> Result<&Secret, Failed> {
        let key = match mode {
            Mode::Live => self.live_key.as_ref(),
            Mode::Test => self.test_key.as_ref(),
        };
        let key = key.filter(|key| !key.expose().is_empty()).ok_or(Failed::NoKey(mode))?;
        match mode.prefixes().iter().any(|prefix| key.expose().starts_with(prefix)) {
            true => Ok(key),
            false => Err(Failed::KeyOfOtherMode(mode)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(live: &str, test: &str) -> Config {
        Config { live_key: Some(Secret::new(live)), test_key: Some(Secret::new(test)), ..Config::default() }
    }

    #[test]
    fn a_key_serves_its_own_mode_only() {
        let right = config("rk_live_1", "sk_test_1");
        assert_eq!(right.key(Mode::Live), Ok(&Secret::new("rk_live_1")));
        assert_eq!(right.key(Mode::Test), Ok(&Secret::new("sk_test_1")));
        let swapped = config("sk_test_1", "sk_live_1");
        for mode in [Mode::Live, Mode::Test] {
            assert_eq!(swapped.key(mode), Err(Failed::KeyOfOtherMode(mode)));
            assert_eq!(config("", "").key(mode), Err(Failed::NoKey(mode)));
            assert_eq!(config("pk_live_1", "pk_test_1").key(mode), Err(Failed::KeyOfOtherMode(mode)));
        }
    }

    #[test]
    fn a_scope_contains_its_mode() {
        assert_eq!(Mode::of("b/live/user:u"), Ok(Mode::Live));
        assert_eq!(Mode::of("b/test/user:live"), Ok(Mode::Test));
        for wrong in ["", "b", "b/Live/u", "live"] {
            assert_eq!(Mode::of(wrong), Err(Failed::Scope), "{wrong}");
        }
    }
}
