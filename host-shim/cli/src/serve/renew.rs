//! SIGHUP: rereads the configuration file and `.env`, and replaces the signing secrets of webhooks. All other values stay as they were
//! at the start.

use crate::configured::{ConfiguredBusiness, Overrides, configured, read_file_with};
use extension_contract::Declarations;
use host_run::config::{BusinessMode, Environment};
use host_run::{NewSecrets, Renewal};
use std::path::PathBuf;

/// The configuration that a server rereads on SIGHUP.
pub(super) struct Renewer {
    pub file: Option<PathBuf>,
    pub environment: Environment,
    pub overrides: Overrides,
    pub declarations: Declarations,
    pub renewal: Renewal,
}

impl Renewer {
    /// Rereads the secrets. After a mistake, the secrets stay as they are.
    pub fn renew(&self) {
        let Some(file) = &self.file else {
            tracing::warn!("a server without --config has no file with secrets: SIGHUP changes nothing");
            return;
        };
        let businesses = read_file_with(file, self.environment.without_files())
            .and_then(|(file, environment)| configured(Some(&file), &environment, &self.overrides, &self.declarations));
        match businesses {
            Ok(businesses) => businesses.into_iter().for_each(|business| self.renew_one(business)),
            Err(mistakes) => mistakes.iter().for_each(|mistake| {
                tracing::error!(%mistake, "the configuration has a mistake: the secrets stay as they are");
            }),
        }
    }

    fn renew_one(&self, business: ConfiguredBusiness) {
        // A local Stripe creates its own secret each time it starts.
        if business.mode == BusinessMode::Local {
            return;
        }
        let prepared = business.prepared;
        let name = prepared.business.name.clone();
        let secrets = prepared.webhooks.into_iter().map(|(name, secret)| (name, secret.expose().to_owned()));
        let new = NewSecrets { business: prepared.business, stripe: prepared.stripe, webhooks: secrets.collect() };
        match self.renewal.renew(new) {
            Ok(()) => tracing::info!(business = name, "the secrets of webhooks were read again"),
            Err(error) => tracing::error!(business = name, %error, "the secrets of webhooks stay as they are"),
        }
    }
}
