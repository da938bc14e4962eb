//! A project as Supabase shows it, and what its status means.

use crate::name::Mark;
use serde::{Deserialize, Deserializer, de::Error};

/// A project, as far as it is read: of a list or by itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Project {
    /// Its id, 20 letters of a to z.
    #[serde(rename = "ref", deserialize_with = "reference")]
    pub reference: String,
    pub name: String,
    #[serde(default)]
    pub region: String,
    /// Where it is shown, which lists of one organization don't.
    #[serde(default)]
    pub organization_slug: Option<String>,
    pub status: String,
}

/// What a status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It runs.
    Running,
    /// It stands still.
    Suspended,
    /// On its way to one or the other, or not well.
    Changing,
    /// It ran or stood still, and what was asked for went wrong.
    Failed,
    /// It was never there.
    NeverCameUp,
    /// It is gone.
    Gone,
}

impl Project {
    pub fn stands(&self) -> Stands {
        match self.status.as_str() {
            "ACTIVE_HEALTHY" => Stands::Running,
            "INACTIVE" => Stands::Suspended,
            "PAUSE_FAILED" | "RESTORE_FAILED" => Stands::Failed,
            "INIT_FAILED" => Stands::NeverCameUp,
            "REMOVED" => Stands::Gone,
            // COMING_UP, RESTORING, PAUSING, GOING_DOWN, RESTARTING, UPGRADING, RESIZING, ACTIVE_UNHEALTHY, UNKNOWN, and
            // whatever Supabase comes up with.
            _ => Stands::Changing,
        }
    }

    pub fn mark(&self) -> Option<Mark> {
        Mark::read(&self.name)
    }
}

/// An id, which stands in paths: anything else is no project.
fn reference<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match is_reference(&text) {
        true => Ok(text),
        false => Err(D::Error::custom("expected 20 letters of a to z")),
    }
}

/// Whether a text may stand in a path as a project's id.
pub(crate) fn is_reference(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The project of an endpoint: `db.REF.supabase.co:5432`, `REF.supabase.co`.
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
