//! The settings of a Stripe account, and how its provider is opened.

use crate::builder::{LocalStripe, OpenError, ProviderBuilder, machine_secrets};
use crate::mail::MailSite;
use crate::stripe::{Config, Stripe};
use host_provider_api::{ProviderName, Secret, Secrets};
use serde::Deserialize;
use std::sync::Arc;

/// A Stripe account, at Stripe or in a local Stripe.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StripeSettings {
    /// Reference to the test-mode key.
    pub test_key: String,
    /// Reference to the live-mode key.
    pub live_key: String,
    /// Base URL of a local Stripe, `provisioner stripe`. None for Stripe itself.
    pub url: Option<String>,
    /// Base address of the business's site, to whose paths Stripe's pages return the customer. None for the server's
    /// address.
    pub site: Option<String>,
}

impl Default for StripeSettings {
    fn default() -> Self {
        StripeSettings {
            test_key: "secret:env/STRIPE_TEST_KEY".to_owned(),
            live_key: "secret:env/STRIPE_LIVE_KEY".to_owned(),
            url: None,
            site: None,
        }
    }
}

impl ProviderBuilder<'_> {
    pub(crate) fn stripe(&mut self) -> Result<(), OpenError> {
        let config = match &self.options.local_stripe {
            Some(LocalStripe { url, key }) => {
                Config { test_key: Some(Secret::new(key)), url: url.clone(), ..Config::default() }
            }
            None => self.stripe_account()?,
        };
        let site = self.options.settings.stripe.site.as_deref().map(|site| site.trim_end_matches('/').to_owned());
        let site = site.or_else(|| self.options.site.as_ref().map(|site| site.url.clone()));
        // In a replay, Stripe's pages never have to return a customer.
        let site = site.or_else(|| self.options.local_stripe.as_ref().map(|_| MailSite::default().url));
        let config = Config { site, ..config };
        let stripe = Arc::new(Stripe::new(config));
        self.events = Some(stripe.clone());
        self.objects = Some(stripe.clone());
        self.limited(ProviderName::Stripe, &["stripe"], stripe);
        Ok(())
    }

    /// Returns the configuration of the provider `stripe` from the settings.
    fn stripe_account(&self) -> Result<Config, OpenError> {
        let settings = &self.options.settings.stripe;
        let machine_secrets = machine_secrets(self.options);
        let key = |reference: &str| machine_secrets.resolve("", reference).ok();
        let given = |livemode: bool| {
            let given = self.options.stripe_key.as_ref().filter(|given| given.livemode == livemode);
            given.map(|given| given.key.clone())
        };
        let test_key = given(false).or_else(|| key(&settings.test_key));
        let live_key = given(true).or_else(|| key(&settings.live_key));
        if test_key.is_none() && live_key.is_none() {
            let problem =
                format!("there is no key: expected one at `{}` or `{}`", settings.test_key, settings.live_key);
            return Err(OpenError::Settings { name: ProviderName::Stripe, problem });
        }
        let default = Config::default();
        let url = settings.url.clone().unwrap_or_else(|| default.url.clone());
        Ok(Config { test_key, live_key, url, ..default })
    }
}
