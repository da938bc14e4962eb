//! What the last catalog document named, in the platform's account. What the next document leaves out goes off sale; products of
//! operators and of accounts are not named by a document, and stay.

use super::{ACCOUNT, json_record};
use serde::{Deserialize, Serialize};

/// What the last whole document named, and the partial documents after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LoadedCatalog {
    /// Ids of products.
    pub products: Vec<String>,
    /// Keys of entitlements.
    pub entitlements: Vec<String>,
}

impl LoadedCatalog {
    /// Id of the account's only row.
    pub const ID: &'static str = "catalog";

    /// Adds what another document names.
    pub fn with(self, other: &LoadedCatalog) -> LoadedCatalog {
        let merged = |mut names: Vec<String>, others: &[String]| {
            let new = others.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>();
            names.extend(new);
            names
        };
        LoadedCatalog {
            products: merged(self.products, &other.products),
            entitlements: merged(self.entitlements, &other.entitlements),
        }
    }

    /// Returns what another document does not name.
    pub fn without(self, other: &LoadedCatalog) -> LoadedCatalog {
        let left = |mut names: Vec<String>, others: &[String]| {
            names.retain(|name| !others.contains(name));
            names
        };
        LoadedCatalog {
            products: left(self.products, &other.products),
            entitlements: left(self.entitlements, &other.entitlements),
        }
    }
}

json_record!(LoadedCatalog, ACCOUNT, live: |_| false, references: |_| Vec::new());
