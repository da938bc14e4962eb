//! Opens the provider of AWS and that of Backblaze B2, which has the same API for buckets.

use crate::aws::compute;
use crate::aws::provider::{
    Aws, BucketConfig, Buckets, CdnConfig, Config, Credentials, DatabaseConfig, DatabaseSize, Databases, Distributions,
    Flavor, RESOURCES, Timeouts,
};
use crate::builder::{OpenError, ProviderBuilder};
use host_provider_api::ProviderName;
use std::sync::Arc;

impl ProviderBuilder<'_> {
    pub(crate) fn aws(&mut self) -> Result<(), OpenError> {
        let name = ProviderName::Aws;
        let settings = self.options.settings.aws.clone();
        let settings = settings.ok_or_else(|| {
            OpenError::settings(name, "expected `aws: {region: …}` in the file of --provider-settings")
        })?;
        let key = (settings.access_key_id.as_deref(), settings.secret_access_key.as_deref());
        let config = self.aws_config(name, &settings.region, settings.endpoint.clone(), key)?;
        let aws = Aws::open(&config).map_err(|error| OpenError::settings(name, error))?;
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
            self.limited(name, &RESOURCES, Arc::new(compute));
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
        let name = ProviderName::B2;
        let settings = self.options.settings.b2.clone();
        let settings = settings.ok_or_else(|| {
            OpenError::settings(name, "expected `b2: {region: …}` in the file of --provider-settings")
        })?;
        let endpoint = format!("https://s3.{}.backblazeb2.com", settings.region);
        let key = (Some(settings.key_id.as_str()), Some(settings.app_key.as_str()));
        let config =
            self.aws_config(name, &settings.region, Some(settings.endpoint.clone().unwrap_or(endpoint)), key)?;
        let aws = Aws::open(&config).map_err(|error| OpenError::settings(name, error))?;
        let shared = settings.shared_buckets.clone();
        let buckets = BucketConfig { flavor: Flavor::B2, cdn_account: None, shared, tenants: None };
        self.buckets(name, Buckets::new(&aws, buckets));
        Ok(())
    }

    /// Registers a provider of buckets and the objects in them.
    fn buckets(&mut self, name: ProviderName, buckets: Buckets) {
        let within = self.limited(name, &["bucket", "object"], Arc::new(buckets));
        self.signers.objects = Some(within);
    }

    fn aws_config(
        &self,
        name: ProviderName,
        region: &str,
        endpoint: Option<String>,
        key: (Option<&str>, Option<&str>),
    ) -> Result<Config, OpenError> {
        let credentials = match key {
            (None, None) => Credentials::Chain,
            (Some(id), Some(key)) => Credentials::Static {
                access_key_id: id.to_owned(),
                secret_access_key: self.secret(name, key)?,
                session_token: None,
            },
            _ => {
                return Err(OpenError::settings(
                    name,
                    "expected both parts of a key, or neither to use the machine's credentials",
                ));
            }
        };
        Ok(Config { region: region.to_owned(), endpoint, credentials, timeouts: Timeouts::default() })
    }
}
