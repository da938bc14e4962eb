//! What databases and roles are called: every tenant can read all these names, so they tell nothing.

use crate::failed::Failed;
use host_provider_api::ResourceId;
use host_provider_api::names::Rules;

const RULES: Rules = Rules { what: "database", shortest: 3, longest: 63, others: b"_" };
const BACKUP: Rules = Rules { what: "backup", shortest: 24, longest: 24, others: b"" };

/// The names of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub database: String,
    pub role: String,
    /// Of who dumps and restores.
    pub worker: String,
}

impl Names {
    pub fn of(id: &ResourceId) -> Result<Names, Failed> {
        let derive = |prefix| RULES.derive(prefix, id);
        Ok(Names { database: derive("d_")?, role: derive("r_")?, worker: derive("w_")? })
    }
}

/// What a backup is called: of this resource, asked for in this generation.
pub(crate) fn backup(id: &ResourceId, generation: u32) -> Result<String, Failed> {
    let of = ResourceId { resource: "backup".to_owned(), id: format!("{}#{generation}", id.id), ..id.clone() };
    Ok(BACKUP.derive("", &of)?)
}

/// Whether this can be the name of a backup, and so of its file.
pub(crate) fn is_backup(name: &str) -> bool {
    BACKUP.check(name).is_ok()
}
