//! The rights of a block: what it declares, within what the operator grants. The default is none.

use crate::database::{CallError, Database, fail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A list of names.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
pub enum Allowed {
    /// None of them.
    #[default]
    None,
    /// All of them.
    Any,
    /// These.
    Only(BTreeSet<String>),
}

impl Allowed {
    fn has(&self, name: &str) -> bool {
        match self {
            Allowed::None => false,
            Allowed::Any => true,
            Allowed::Only(names) => names.contains(name),
        }
    }

    fn within(&self, granted: &Allowed) -> Allowed {
        match (self, granted) {
            (Allowed::None, _) | (_, Allowed::None) => Allowed::None,
            (own, Allowed::Any) => own.clone(),
            (Allowed::Any, granted) => granted.clone(),
            (Allowed::Only(own), Allowed::Only(granted)) => Allowed::Only(own.intersection(granted).cloned().collect()),
        }
    }
}

/// The rights.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Rights {
    collections: Allowed,
    network: Allowed,
    config: Allowed,
    callable_blocks: Allowed,
    ddl: bool,
    raw_sql: bool,
}

impl Rights {
    /// Returns no right.
    pub fn none() -> Rights {
        Rights::default()
    }

    /// Reads the rights that a block declares. Its tables begin with its own name.
    ///
    /// # Errors
    /// Fails with a text for rights that no block may have.
    pub fn of(name: &str, declared: &Value) -> Result<Rights, String> {
        let rights: Rights =
            serde_json::from_value(declared.clone()).map_err(|error| format!("capabilities: {error}"))?;
        let prefix = name.replace('-', "_").replace('/', "__") + "__";
        match &rights.collections {
            Allowed::Any => Err("a block may not have all tables".to_owned()),
            Allowed::Only(tables) => match tables.iter().find(|table| !table.starts_with(&prefix)) {
                Some(table) => Err(format!("the table `{table}` is not of {name}: expected the prefix `{prefix}`")),
                None => Ok(rights),
            },
            Allowed::None => Ok(rights),
        }
    }

    /// Returns the rights that both have.
    #[must_use]
    pub fn within(&self, granted: &Rights) -> Rights {
        Rights {
            collections: self.collections.within(&granted.collections),
            network: self.network.within(&granted.network),
            config: self.config.within(&granted.config),
            callable_blocks: self.callable_blocks.within(&granted.callable_blocks),
            ddl: self.ddl && granted.ddl,
            raw_sql: self.raw_sql && granted.raw_sql,
        }
    }

    /// Returns the same rights without a block that may be called.
    #[must_use]
    pub fn without_block(&self, name: &str) -> Rights {
        let mut rights = self.clone();
        if let Allowed::Only(blocks) = &mut rights.callable_blocks {
            blocks.remove(name);
        }
        rights
    }

    /// Returns the same rights without a table.
    #[must_use]
    pub fn without_table(&self, name: &str) -> Rights {
        let mut rights = self.clone();
        if let Allowed::Only(tables) = &mut rights.collections {
            tables.remove(name);
        }
        rights
    }

    /// Returns true if the block may call another one.
    pub fn may_call(&self, block: &str) -> bool {
        self.callable_blocks.has(block)
    }

    /// Checks a call of a service.
    ///
    /// # Errors
    /// Fails with `PermissionDenied` and the right that is missing.
    pub fn check(&self, block: &str, kind: &str, request: &[u8]) -> Result<(), CallError> {
        match block {
            "wafer-run/database" => {
                if kind == "database.ensure_table" && !self.ddl {
                    return Err(fail("PermissionDenied", "the right `ddl` is missing"));
                }
                if kind.ends_with("_raw") && !self.raw_sql {
                    return Err(fail("PermissionDenied", "the right `raw_sql` is missing"));
                }
                let named = Database::collections(kind, request)?;
                match named.iter().find(|table| !self.collections.has(table)) {
                    Some(table) => Err(fail("PermissionDenied", format!("the table `{table}` is not granted"))),
                    None => Ok(()),
                }
            }
            "wafer-run/config" => {
                #[derive(Deserialize)]
                struct Key {
                    key: String,
                }
                let Key { key } =
                    rmp_serde::from_slice(request).map_err(|error| fail("InvalidArgument", error.to_string()))?;
                match self.config.has(&key) {
                    true => Ok(()),
                    false => Err(fail("PermissionDenied", format!("the key `{key}` is not granted"))),
                }
            }
            other => Err(fail("PermissionDenied", format!("the block `{other}` is not granted"))),
        }
    }
}
