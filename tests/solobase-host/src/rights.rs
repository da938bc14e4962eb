//! The rights of a block: those that it declares, as far as the operator grants them. The default is none.

use crate::database::{CallError, Database, fail};
use serde::Deserialize;
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
    schema: bool,
    raw_sql: bool,
}

impl Rights {
    /// Returns no right.
    pub fn none() -> Rights {
        Rights::default()
    }

    /// Returns the rights in the form for a block, whose tables start with its own name.
    ///
    /// # Errors
    /// Fails with a message if no block may have these rights.
    pub fn of_block(self, name: &str) -> Result<Rights, String> {
        let prefix = name.replace('-', "_").replace('/', "__") + "__";
        match &self.collections {
            Allowed::Any => Err("a block may not have all tables".to_owned()),
            Allowed::Only(tables) => match tables.iter().find(|table| !table.starts_with(&prefix)) {
                Some(table) => Err(format!("the table `{table}` is not of {name}: expected the prefix `{prefix}`")),
                None => Ok(self),
            },
            Allowed::None => Ok(self),
        }
    }

    /// Returns the rights that are in both.
    #[must_use]
    pub fn within(&self, granted: &Rights) -> Rights {
        Rights {
            collections: self.collections.within(&granted.collections),
            network: self.network.within(&granted.network),
            config: self.config.within(&granted.config),
            callable_blocks: self.callable_blocks.within(&granted.callable_blocks),
            ddl: self.ddl && granted.ddl,
            schema: self.schema && granted.schema,
            raw_sql: self.raw_sql && granted.raw_sql,
        }
    }

    /// Returns the same rights, without the right to call a block.
    #[must_use]
    pub fn without_block(&self, name: &str) -> Rights {
        let mut rights = self.clone();
        if let Allowed::Only(blocks) = &mut rights.callable_blocks {
            blocks.remove(name);
        }
        rights
    }

    /// Returns the same rights, without any tables.
    #[must_use]
    pub fn without_table(&self, name: &str) -> Rights {
        let mut rights = self.clone();
        if let Allowed::Only(tables) = &mut rights.collections {
            tables.remove(name);
        }
        rights
    }

    /// Returns the same rights, without those to create tables.
    #[must_use]
    pub fn without_schema(&self) -> Rights {
        Rights { ddl: false, schema: false, ..self.clone() }
    }

    /// Returns true if the block may call `block`.
    pub fn may_call(&self, block: &str) -> bool {
        self.callable_blocks.has(block)
    }

    /// Checks a call of a service.
    ///
    /// # Errors
    /// Fails with `PermissionDenied` and the missing right.
    pub fn check(&self, block: &str, kind: &str, request: &[u8]) -> Result<(), CallError> {
        match block {
            "wafer-run/database" => {
                let missing = match kind {
                    "database.ensure_table" => Some("schema").filter(|_| !self.schema),
                    "database.ddl" => Some("ddl").filter(|_| !self.ddl),
                    _ => Some("raw_sql").filter(|_| kind.ends_with("_raw") && !self.raw_sql),
                };
                if let Some(right) = missing {
                    return Err(fail("PermissionDenied", format!("the right `{right}` is missing")));
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
