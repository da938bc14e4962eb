//! Writes the expectations at a scenario's end: the outcome of each event and the account's sections.

use crate::record::draft::last_outcome;
use crate::record::recording::Recording;
use extension_contract::Account;
use host_replay::rig::Rig;
use host_replay::view::section;
use host_scenario::error::ReplayError;
use host_scenario::matcher::Matcher;
use host_scenario::model::{Expectations, SectionExpectation};
use serde_json::{Map, Value, json};

/// Sections of an account that are expected unless they are empty.
const SECTIONS: [&str; 7] = ["products", "purchases", "subscriptions", "entitlements", "balances", "ledger", "timers"];

/// Returns the non-empty sections of an account.
pub(crate) fn sections(host: &mut Rig, account: &Account) -> Result<Vec<(&'static str, Value)>, ReplayError> {
    let mut found = Vec::new();
    for name in SECTIONS {
        let asked = SectionExpectation { account: None, section: name, matcher: Matcher::of(&json!({})) };
        let value = section(host, &asked, Some(account))?;
        if !is_empty(&value) {
            found.push((name, value));
        }
    }
    Ok(found)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().all(is_empty),
        Value::Null => true,
        _ => false,
    }
}

/// Returns the expectations of these sections, and of the last outcome of every step with an event from outside.
pub(crate) fn expectations(recording: &Recording, sections: Vec<(&'static str, Value)>, ids: &[&str]) -> Expectations {
    let of_sections = sections.into_iter().map(|(section, value)| SectionExpectation {
        account: None,
        section,
        matcher: Matcher::of(&value),
    });
    let mut outcomes = Map::new();
    for event in recording.events.iter().filter(|event| event.is_step) {
        let row = &event.row;
        if host_engine::view::is_outside(&row.event.source) && ids.contains(&row.event.id.as_str()) {
            outcomes.insert(row.event.id.clone(), json!({"outcome": last_outcome(row)}));
        }
    }
    let of_outcomes = (!outcomes.is_empty()).then(|| SectionExpectation {
        account: None,
        section: "outcomes",
        matcher: Matcher::of(&Value::Object(outcomes)),
    });
    Expectations { sections: of_sections.chain(of_outcomes).collect(), snapshot: None }
}
