//! Opens the providers AWS, B2, PostgreSQL and Supabase with their settings.

#[cfg(feature = "aws")]
mod compute;

use crate::open::{OpenError, ProviderBuilder};
use host_provider_api::ProviderName;
use std::path::Path;
use std::sync::Arc;

fn bad(name: ProviderName, problem: impl ToString) -> OpenError {
    OpenError::Settings { name, problem: problem.to_string() }
}

#[cfg(feature = "aws")]
impl ProviderBuilder<'_> {
    pub(crate) fn aws(&mut self) -> Result<(), OpenError> {
        use crate::aws::{
            Aws, BucketConfig, Buckets, CdnConfig, DatabaseConfig, DatabaseSize, Databases, Distributions, Flavor,
        };
        let name = ProviderName::Aws;
        let settings = self.options.settings.aws.clone();
        let settings =
            settings.ok_or_else(|| bad(name, "expected `aws: {region: …}` in the file of --provider-settings"))?;
        let key = (settings.access_key_id.as_deref(), settings.secret_access_key.as_deref());
        let config = self.aws_config(name, &settings.region, settings.endpoint.clone(), key)?;
        let aws = Aws::open(&config).map_err(|error| bad(name, error))?;
        let tenants = compute::tenants(name, &settings)?;
        let buckets = BucketConfig {
            flavor: Flavor::Aws,
            cdn_account: settings.cdn_account.clone(),
            shared: settings.shared_buckets.clone(),
            tenants: tenants.clone(),
        };
        self.buckets(name, Buckets::new(&aws, buckets));
        let cdn = CdnConfig {
            certificate_arn: settings.certificate_arn.clone(),
            origin_access_control_id: settings.origin_access_control_id.clone(),
            price_class: settings.price_class.clone(),
        };
        self.limited(name, &["cdn"], Arc::new(Distributions::new(&aws, cdn)));
        if let Some(compute) = compute::provider(name, &aws, &settings, tenants)? {
            self.limited(name, &crate::aws::RESOURCES, Arc::new(compute));
        }
        if let Some(databases) = &settings.databases {
            let databases = DatabaseConfig {
                engine: databases.engine.clone(),
                engine_version: databases.engine_version.clone(),
                user: databases.user.clone(),
                size: DatabaseSize { class: databases.class.clone(), storage_gb: databases.storage_gb },
                tiers: std::collections::BTreeMap::new(),
                keep_days: databases.keep_days,
                subnet_group: databases.subnet_group.clone(),
                security_group_ids: databases.security_group_ids.clone(),
                multi_az: databases.multi_az,
            };
            self.limited(name, &["database"], Arc::new(Databases::new(&aws, databases)));
        }
        Ok(())
    }

    pub(crate) fn b2(&mut self) -> Result<(), OpenError> {
        use crate::aws::{Aws, BucketConfig, Buckets, Flavor};
        let name = ProviderName::B2;
        let settings = self.options.settings.b2.clone();
        let settings =
            settings.ok_or_else(|| bad(name, "expected `b2: {region: …}` in the file of --provider-settings"))?;
        let endpoint = format!("https://s3.{}.backblazeb2.com", settings.region);
        let key = (Some(settings.key_id.as_str()), Some(settings.app_key.as_str()));
        let config =
            self.aws_config(name, &settings.region, Some(settings.endpoint.clone().unwrap_or(endpoint)), key)?;
        let aws = Aws::open(&config).map_err(|error| bad(name, error))?;
        let shared = settings.shared_buckets.clone();
        let buckets = BucketConfig { flavor: Flavor::B2, cdn_account: None, shared, tenants: None };
        self.buckets(name, Buckets::new(&aws, buckets));
        Ok(())
    }

    /// Registers a provider of buckets and the objects in them.
    fn buckets(&mut self, name: ProviderName, buckets: crate::aws::Buckets) {
        let within = self.limited(name, &["bucket", "object"], Arc::new(buckets));
        {
            self.signers.objects = Some(within);
        }
    }

    fn aws_config(
        &self,
        name: ProviderName,
        region: &str,
        endpoint: Option<String>,
        key: (Option<&str>, Option<&str>),
    ) -> Result<crate::aws::Config, OpenError> {
        let credentials = match key {
            (None, None) => crate::aws::Credentials::Chain,
            (Some(id), Some(key)) => crate::aws::Credentials::Static {
                access_key_id: id.to_owned(),
                secret_access_key: self.secret(name, key)?,
                session_token: None,
            },
            _ => return Err(bad(name, "expected both parts of a key, or neither to use the machine's credentials")),
        };
        Ok(crate::aws::Config {
            region: region.to_owned(),
            endpoint,
            credentials,
            timeouts: crate::aws::Timeouts::default(),
        })
    }
}

#[cfg(not(feature = "aws"))]
impl ProviderBuilder<'_> {
    pub(crate) fn aws(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(ProviderName::Aws))
    }

    pub(crate) fn b2(&mut self) -> Result<(), OpenError> {
        Err(OpenError::NotBuilt(ProviderName::B2))
    }
}

impl ProviderBuilder<'_> {
    pub(crate) fn postgres(&mut self, folder: &Path) -> Result<(), OpenError> {
        use crate::postgres::{Config, Password, Postgres, ServerConfig};
        let name = ProviderName::Postgres;
        let settings = self.options.settings.postgres.clone();
        let settings = settings
            .ok_or_else(|| bad(name, "expected `postgres: {servers: […]}` in the file of --provider-settings"))?;
        let servers = settings.servers.iter().map(|server| ServerConfig {
            host: server.host.clone(),
            port: server.port,
            admin_user: server.user.clone(),
            admin_password: Password::Reference(server.password.clone()),
            max_databases: server.max_databases,
            tls: server.tls,
        });
        let backups = settings.backups.clone().unwrap_or_else(|| folder.join("postgres-backups"));
        let config = Config {
            ca: settings.ca.clone(),
            addresses: settings.addresses.clone(),
            migrations: settings.migrations.clone(),
            seeds: settings.seeds.clone(),
            secrets: Some(self.secrets.clone()),
            ..Config::new(servers.collect(), settings.programs.clone(), backups)
        };
        let postgres = Postgres::new(config).map_err(|error| bad(name, error))?;
        let within = self.limited(name, &["database"], Arc::new(postgres));
        {
            self.postgres = Some(within);
        }
        Ok(())
    }
}

impl ProviderBuilder<'_> {
    pub(crate) fn supabase(&mut self) -> Result<(), OpenError> {
        use crate::supabase::{Config, Supabase};
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
        // Supabase's API can't migrate, seed or back up a database. The PostgreSQL provider can, if it is open too.
        let beside_postgres = self.options.names.contains(&ProviderName::Postgres);
        let patterns: &[&str] = if beside_postgres { &crate::supabase::KINDS } else { &["database"] };
        self.limited(name, patterns, Arc::new(Supabase::new(config.clone())));
        {
            self.projects = Some(config);
        }
        Ok(())
    }
}

impl ProviderBuilder<'_> {
    /// Registers the provider of backups at Supabase, if both providers are open. It resumes a suspended project for
    /// its backup, since nobody can connect to the database of a suspended project.
    pub(crate) fn backups_at_supabase(&mut self) {
        if let (Some(config), Some(postgres)) = (self.projects.take(), self.postgres.take()) {
            let awake = crate::supabase::Awake::new(config, postgres);
            self.limited(ProviderName::Supabase, &["database.backup"], Arc::new(awake));
        }
    }
}
