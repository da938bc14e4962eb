//! Names of databases, roles and backups. Every tenant can read the names on its server, so the names contain nothing
//! about their tenants.

use crate::postgres::failed::Failed;
use host_provider_api::ResourceId;
use host_provider_api::names::Rules;

const RULES: Rules = Rules { what: "database", shortest: 3, longest: 63, others: b"_" };
const BACKUP: Rules = Rules { what: "backup", shortest: 24, longest: 24, others: b"" };

/// Names of a resource's database and roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub database: String,
    pub role: String,
    /// The role for dumps and restores.
    pub worker: String,
}

impl Names {
    pub fn of(id: &ResourceId) -> Result<Names, Failed> {
        let derive = |prefix| RULES.derive(prefix, id);
        Ok(Names { database: derive("d_")?, role: derive("r_")?, worker: derive("w_")? })
    }
}

/// Returns the name of the backup that this generation of the resource's effect creates.
pub(crate) fn backup(id: &ResourceId, generation: u32) -> Result<String, Failed> {
    let of = ResourceId { resource: "backup".to_owned(), id: format!("{}#{generation}", id.id), ..id.clone() };
    Ok(BACKUP.derive("", &of)?)
}

/// Returns true if this is a valid name of a backup, and therefore of its file.
pub(crate) fn is_backup(name: &str) -> bool {
    BACKUP.check(name).is_ok()
}
