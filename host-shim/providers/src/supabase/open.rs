//! The settings of a Supabase organization, and how its provider is opened.

use crate::builder::{OpenError, ProviderBuilder};
use crate::supabase::{Awake, Config, KINDS, Supabase};
use host_provider_api::ProviderName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Supabase organization.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupabaseSettings {
    /// Reference to the access token.
    pub token: String,
    /// Slug of the organization if the payload has none.
    pub organization: Option<String>,
    /// Region if the payload has none.
    pub region: Option<String>,
    /// Machine sizes by the payload's `plan`.
    pub instance_sizes: BTreeMap<String, String>,
    /// Base URL of a server other than Supabase's. None for Supabase itself.
    pub url: Option<String>,
}

impl Default for SupabaseSettings {
    fn default() -> Self {
        SupabaseSettings {
            token: "secret:env/SUPABASE_ACCESS_TOKEN".to_owned(),
            organization: None,
            region: None,
            instance_sizes: BTreeMap::new(),
            url: None,
        }
    }
}

impl ProviderBuilder<'_> {
    pub(crate) fn supabase(&mut self) -> Result<(), OpenError> {
        let name = ProviderName::Supabase;
        let settings = self.options.settings.supabase.clone();
        let default = Config::default();
        let config = Config {
            token: Some(self.secret(name, &settings.token)?),
            organization: settings.organization.clone(),
            region: settings.region.clone().unwrap_or(default.region),
            instance_sizes: settings.instance_sizes.clone(),
            url: settings.url.clone().unwrap_or(default.url),
            ..Config::default()
        };
        // Supabase's API can't migrate, seed or back up a database. The PostgreSQL provider can, if it is also open.
        let beside_postgres = self.options.names.contains(&ProviderName::Postgres);
        let patterns: &[&str] = if beside_postgres { &KINDS } else { &["database"] };
        self.limited(name, patterns, Arc::new(Supabase::new(config.clone())));
        self.projects = Some(config);
        Ok(())
    }

    /// Registers the provider that backs up Supabase databases, if both providers are open. It resumes a suspended
    /// project for its backup, because a suspended project's database accepts no connections.
    pub(crate) fn backups_at_supabase(&mut self) {
        if let (Some(config), Some(postgres)) = (self.projects.take(), self.postgres.take()) {
            let awake = Awake::new(config, postgres);
            self.limited(ProviderName::Supabase, &["database.backup"], Arc::new(awake));
        }
    }
}
