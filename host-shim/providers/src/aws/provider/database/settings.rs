//! Settings of a database instance, from the configuration and the payload.

use crate::aws::provider::payload::{bad, text, whole};
use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder as Create;
use aws_sdk_rds::operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify;
use aws_sdk_rds::operation::restore_db_instance_from_db_snapshot::builders::RestoreDBInstanceFromDBSnapshotFluentBuilder as Restore;
use aws_sdk_rds::types::DbInstance;
use host_provider_api::{Call, CallOutcome};
use std::collections::BTreeMap;

/// Minimum and maximum size of `gp3` storage in RDS, in GB.
const STORAGE_GB: (i32, i32) = (20, 65_536);
/// Minimum and maximum number of days for which AWS keeps its automatic backups. 0 means no backups.
const KEEP_DAYS: (i32, i32) = (0, 35);
/// Maximum length of a database name in bytes.
const NAME_MAX: usize = 63;

/// Size of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSize {
    /// Instance class, for example `db.t4g.micro`.
    pub class: String,
    /// GB of storage if the payload has no `quota_gb`; at least 20.
    pub storage_gb: i32,
}

/// Settings that all databases share.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// Database engine: `postgres`.
    pub engine: String,
    /// Engine version, for example `17`; AWS's default if none.
    pub engine_version: Option<String>,
    /// Name of the administrator of each instance. `admin`, `postgres` and `rdsadmin` are reserved by some engines.
    pub user: String,
    /// Size of an instance if the payload has no tier.
    pub size: DatabaseSize,
    /// Sizes by the payload's `tier`. Other tiers are refused. If there are no sizes, `tier` is ignored.
    pub tiers: BTreeMap<String, DatabaseSize>,
    /// Days for which AWS keeps its automatic backups if the payload has no `backups.keep_days`, 0 to 35.
    pub keep_days: i32,
    /// Subnet group of instances; the account's default if none.
    pub subnet_group: Option<String>,
    /// Security groups of instances; the network's default if none.
    pub security_group_ids: Vec<String>,
    /// Whether each instance has a standby in another zone.
    pub multi_az: bool,
}

/// Settings of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    name: String,
    class: String,
    storage_gb: i32,
    keep_days: i32,
}

/// Settings that must change. None leaves a setting unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    class: Option<String>,
    storage_gb: Option<i32>,
    keep_days: Option<i32>,
}

impl Settings {
    pub(super) fn of(call: &Call, config: &DatabaseConfig) -> Result<Settings, CallOutcome> {
        let size = match text(call, "tier")? {
            Some(tier) if !config.tiers.is_empty() => {
                let known: Vec<&str> = config.tiers.keys().map(String::as_str).collect();
                config.tiers.get(tier).ok_or_else(|| bad("tier", tier, &format!("one of {}", known.join(", "))))?
            }
            _ => &config.size,
        };
        // RDS has a minimum of 20 GB; the database itself must enforce a smaller quota.
        let quota = whole(call, "quota_gb", 1, STORAGE_GB.1)?;
        let backups = call.payload.get("backups").cloned().unwrap_or_default();
        let backups = Call { payload: backups, ..Call::default() };
        let keep_days = whole(&backups, "keep_days", KEEP_DAYS.0, KEEP_DAYS.1)?;
        Ok(Settings {
            name: database_name(text(call, "name")?)?,
            class: size.class.clone(),
            storage_gb: quota.unwrap_or(size.storage_gb).max(STORAGE_GB.0),
            keep_days: keep_days.unwrap_or(config.keep_days),
        })
    }

    pub(super) fn create(&self, create: Create, config: &DatabaseConfig) -> Create {
        let groups = config.security_group_ids.clone();
        create
            .engine(&config.engine)
            .set_engine_version(config.engine_version.clone())
            .db_name(&self.name)
            .master_username(&config.user)
            .db_instance_class(&self.class)
            .allocated_storage(self.storage_gb)
            .storage_type("gp3")
            .storage_encrypted(true)
            .backup_retention_period(self.keep_days)
            .deletion_protection(false)
            .publicly_accessible(false)
            .copy_tags_to_snapshot(false)
            .multi_az(config.multi_az)
            .set_db_subnet_group_name(config.subnet_group.clone())
            .set_vpc_security_group_ids(Some(groups).filter(|groups| !groups.is_empty()))
    }

    pub(super) fn restore(&self, restore: Restore, config: &DatabaseConfig) -> Restore {
        let groups = config.security_group_ids.clone();
        restore
            .db_instance_class(&self.class)
            .backup_retention_period(self.keep_days)
            .deletion_protection(false)
            .publicly_accessible(false)
            .copy_tags_to_snapshot(false)
            .multi_az(config.multi_az)
            .set_db_subnet_group_name(config.subnet_group.clone())
            .set_vpc_security_group_ids(Some(groups).filter(|groups| !groups.is_empty()))
    }

    /// Returns the storage in GB if it exceeds that of the backup: an instance can't be restored into less storage.
    pub(super) fn storage_over(&self, backup_gb: Option<i32>) -> Option<i32> {
        Some(self.storage_gb).filter(|wanted| backup_gb.is_some_and(|has| has < *wanted))
    }

    /// Returns the changes that the instance needs; none if it needs no changes. Storage can only grow, because RDS
    /// can't shrink it.
    pub(super) fn changes(&self, there: &DbInstance) -> Option<Changes> {
        let has_class = there.db_instance_class.as_deref() == Some(self.class.as_str());
        let changes = Changes {
            class: (!has_class).then(|| self.class.clone()),
            storage_gb: Some(self.storage_gb).filter(|wanted| there.allocated_storage.is_none_or(|has| has < *wanted)),
            keep_days: Some(self.keep_days).filter(|wanted| there.backup_retention_period != Some(*wanted)),
        };
        // Pending changes must finish first.
        (changes != Changes::default() && !is_pending(there)).then_some(changes)
    }
}

impl Changes {
    pub(super) fn put_into(&self, modify: Modify) -> Modify {
        modify
            .apply_immediately(true)
            .set_db_instance_class(self.class.clone())
            .set_allocated_storage(self.storage_gb)
            .set_backup_retention_period(self.keep_days)
    }

    /// Returns true if the instance has these settings.
    pub(super) fn are_set_on(&self, there: &DbInstance) -> bool {
        self.class.as_ref().is_none_or(|class| there.db_instance_class.as_ref() == Some(class))
            && self.storage_gb.is_none_or(|storage| there.allocated_storage == Some(storage))
            && self.keep_days.is_none_or(|days| there.backup_retention_period == Some(days))
    }
}

/// Returns true if AWS has accepted a change to these settings or to the password but has not finished it.
pub(super) fn is_pending(there: &DbInstance) -> bool {
    there.pending_modified_values.as_ref().is_some_and(|pending| {
        pending.db_instance_class.is_some()
            || pending.allocated_storage.is_some()
            || pending.backup_retention_period.is_some()
            || pending.master_user_password.is_some()
    })
}

/// Returns the name of the database in the instance: RDS requires a leading letter, followed by letters, digits and
/// `_`.
fn database_name(wanted: Option<&str>) -> Result<String, CallOutcome> {
    let Some(wanted) = wanted else { return Ok("app".to_owned()) };
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let begins = wanted.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let name = match begins {
        true => wanted.replace('-', "_"),
        false => format!("db_{}", wanted.replace('-', "_")),
    };
    match wanted.bytes().all(is_right) && name.len() <= NAME_MAX {
        true => Ok(name),
        false => Err(bad("name", wanted, "a-z, 0-9, `_` and `-`, 63 characters at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn config() -> DatabaseConfig {
        let size = |class: &str, storage_gb| DatabaseSize { class: class.to_owned(), storage_gb };
        DatabaseConfig {
            engine: "postgres".to_owned(),
            engine_version: None,
            user: "keeper".to_owned(),
            size: size("db.t4g.micro", 20),
            tiers: [("large".to_owned(), size("db.m7g.large", 100))].into(),
            keep_days: 7,
            subnet_group: None,
            security_group_ids: Vec::new(),
            multi_az: false,
        }
    }

    fn of(payload: Value) -> Result<Settings, CallOutcome> {
        Settings::of(&Call { payload, ..Call::default() }, &config())
    }

    #[test]
    fn a_tier_sets_the_class_and_a_quota_the_storage() {
        let plain = of(json!({})).expect("settings");
        assert_eq!((plain.class.as_str(), plain.storage_gb, plain.keep_days), ("db.t4g.micro", 20, 7));
        let large = of(json!({"tier": "large", "quota_gb": 250, "backups": {"keep_days": 14}})).expect("settings");
        assert_eq!((large.class.as_str(), large.storage_gb, large.keep_days), ("db.m7g.large", 250, 14));
        assert_eq!(of(json!({"quota_gb": 1})).expect("settings").storage_gb, 20, "RDS has no less");
        for payload in [json!({"tier": "huge"}), json!({"quota_gb": -1}), json!({"backups": {"keep_days": 36}})] {
            assert!(matches!(of(payload), Err(CallOutcome::Refused { code, .. }) if code == "bad-payload"));
        }
    }

    #[test]
    fn a_database_name_is_made_valid_for_rds() {
        let name = |wanted| of(json!({ "name": wanted })).map(|settings| settings.name);
        assert_eq!(name("my-app"), Ok("my_app".to_owned()));
        assert_eq!(name("7up"), Ok("db_7up".to_owned()));
        assert!(name("Acme").is_err() && name("a b").is_err() && name(&"a".repeat(64)).is_err());
    }

    #[test]
    fn only_differences_are_changed_and_storage_never_shrinks() {
        let there = DbInstance::builder().db_instance_class("db.t4g.micro").allocated_storage(100);
        let there = there.backup_retention_period(7).build();
        assert_eq!(of(json!({"quota_gb": 50})).expect("settings").changes(&there), None);
        let changes = of(json!({"quota_gb": 200})).expect("settings").changes(&there);
        assert_eq!(changes, Some(Changes { storage_gb: Some(200), ..Changes::default() }));
    }
}
