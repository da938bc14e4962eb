//! Reads the clause `recorded` of `business.yml`, which lists those of the business's own effects that the server
//! carries out itself, each with its purpose. The store keeps every effect with its payload, so these effects need no
//! other storage; a view in `tables.yml` can show them.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};
use extension_contract::EffectDecl;
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::json;

/// Name of the clause.
pub(super) const CLAUSE: &str = "recorded";
/// Maximum length of a text in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// An effect that the server carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEffect {
    /// Kind of the effect.
    pub kind: String,
    /// The purpose of the record.
    pub about: String,
    at: Place,
}

/// Reads the clause; [`mistakes`] checks the kinds.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<RecordedEffect>> {
    check.each(check.map(CLAUSE, clause)?, |entry| read_effect(check, entry))
}

fn read_effect(check: &Checker, entry: &Entry) -> Checked<RecordedEffect> {
    match &entry.value.value {
        Tree::Text(about) if (1..=TEXT_BYTES_MAX).contains(&about.len()) => {
            Ok(RecordedEffect { kind: entry.key.clone(), about: about.clone(), at: entry.place() })
        }
        _ => {
            let expected = format!("what the record is for, a text of 1 to {TEXT_BYTES_MAX} bytes");
            Err(check.wrong(&entry.key, &entry.value, expected))
        }
    }
}

/// Returns the mistakes: effects that the business does not declare, or that create something.
pub(super) fn mistakes(recorded: &[RecordedEffect], own: &[EffectDecl]) -> Vec<BadInput> {
    let makes = |kind: &str| kind.ends_with(".ensure") || kind.ends_with(".change") || kind.ends_with(".destroy");
    let kinds = || own.iter().map(|effect| effect.kind.as_str()).filter(|kind| !makes(kind));
    let unknown = recorded.iter().filter(|effect| !kinds().any(|kind| kind == effect.kind));
    let what = "not an effect of `resources` for which a record is enough";
    unknown.map(|effect| BadInput::unknown_name(effect.at.clone(), &effect.kind, what, kinds())).collect()
}

/// The provider of effects that only need to be recorded: each is done as soon as it is stored.
pub struct Recorder;

impl Provider for Recorder {
    fn call(&self, _: &Call) -> CallOutcome {
        CallOutcome::Done(json!({}))
    }
}
