//! A project as the API returns it, and the meaning of its status.

use crate::supabase::name::Mark;
use serde::{Deserialize, Deserializer, de::Error};

/// The members of a project that the provider uses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Project {
    /// Id of the project, 20 letters of a to z.
    #[serde(rename = "ref", deserialize_with = "reference")]
    pub reference: String,
    pub name: String,
    #[serde(default)]
    pub region: String,
    /// Slug of the project's organization. Missing in the list of an organization's projects.
    #[serde(default)]
    pub organization_slug: Option<String>,
    pub status: String,
}

/// State of a project, derived from its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProjectState {
    /// Running.
    Running,
    /// Suspended.
    Suspended,
    /// Changing state, or unhealthy.
    Changing,
    /// A change of state failed.
    Failed,
    /// The project failed to initialize.
    NeverCameUp,
    /// Removed.
    Gone,
}

impl Project {
    pub fn state(&self) -> ProjectState {
        match self.status.as_str() {
            "ACTIVE_HEALTHY" => ProjectState::Running,
            "INACTIVE" => ProjectState::Suspended,
            "PAUSE_FAILED" | "RESTORE_FAILED" => ProjectState::Failed,
            "INIT_FAILED" => ProjectState::NeverCameUp,
            "REMOVED" => ProjectState::Gone,
            // COMING_UP, RESTORING, PAUSING, GOING_DOWN, RESTARTING, UPGRADING, RESIZING, ACTIVE_UNHEALTHY, UNKNOWN,
            // and future statuses.
            _ => ProjectState::Changing,
        }
    }

    pub fn mark(&self) -> Option<Mark> {
        Mark::read(&self.name)
    }
}

/// Reads a project id, which becomes a part of request paths. Rejects a string that is not a project id.
fn reference<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match is_reference(&text) {
        true => Ok(text),
        false => Err(D::Error::custom("expected 20 letters of a to z")),
    }
}

/// Returns true if a string is a project id.
pub(crate) fn is_reference(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Returns the project id `REF` of an endpoint such as `db.REF.supabase.co:5432` or `REF.supabase.co`.
pub(crate) fn reference_of(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_suffix(":5432").unwrap_or(endpoint);
    let reference = host.strip_suffix(".supabase.co")?;
    Some(reference.strip_prefix("db.").unwrap_or(reference)).filter(|text| is_reference(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_names_its_project() {
        let reference = "abcdefghijklmnopqrst";
        for endpoint in ["db.abcdefghijklmnopqrst.supabase.co:5432", "abcdefghijklmnopqrst.supabase.co"] {
            assert_eq!(reference_of(endpoint), Some(reference), "{endpoint}");
        }
        for endpoint in
            ["", "db.short.supabase.co", "db.abcdefghijklmnopqrst.example.com", "10.0.0.1:5432", "db..supabase.co"]
        {
            assert_eq!(reference_of(endpoint), None, "{endpoint}");
        }
    }
}
