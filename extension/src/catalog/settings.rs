//! Policies of a business, with the defaults of requirements 7.2 and 8.

use products_contract::Grant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Policies, as the catalog's `business` says them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Payment provider.
    pub provider: String,
    /// Currency of all prices.
    pub currency: String,
    /// Days of full service after a failed payment.
    pub grace_days: u32,
    /// Days after the first failed payment on which a mail goes out.
    pub dunning_days: Vec<u32>,
    /// Days to choose what to keep when a plan allows less than is in use.
    pub over_limit_days: u32,
    /// Days from suspension to archive.
    pub archive_after_days: u32,
    /// Days that an archive is kept.
    pub retention_days: u32,
    /// Days before a step that loses something, on which a mail goes out.
    pub notice_days: Vec<u32>,
    /// Days for which a name stays blocked after its product is gone.
    pub name_block_days: u32,
    /// Days for which the last backup of a deleted product is kept.
    pub final_backup_days: u32,
    /// Hours in `error` after which lost days are credited.
    pub error_credit_hours: u32,
    /// Where checkout returns to.
    pub success_url: Option<String>,
    /// Where checkout returns to when it is left.
    pub cancel_url: Option<String>,
    /// Origins that a return URL may have.
    pub origins: Vec<String>,
    /// Plans that are in force where no paid plan of their family is, by family: kept here by the catalog's own rules,
    /// since every decision about an account without a plan needs them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, DefaultPlan>,
}

/// A plan that nobody pays for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultPlan {
    /// Its product.
    pub product_id: String,
    /// What it grants.
    pub grants: Vec<Grant>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            provider: "stripe".to_owned(),
            currency: "usd".to_owned(),
            grace_days: 7,
            dunning_days: vec![0, 3, 6],
            over_limit_days: 14,
            archive_after_days: 30,
            retention_days: 90,
            notice_days: vec![7, 1],
            name_block_days: 30,
            final_backup_days: 30,
            error_credit_hours: 24,
            success_url: None,
            cancel_url: None,
            origins: Vec::new(),
            defaults: BTreeMap::new(),
        }
    }
}

/// The payment providers that effects exist for.
pub(crate) const PROVIDERS: [&str; 1] = ["stripe"];
