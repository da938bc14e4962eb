//! The clause `usage_source`: a system that counts the account's requests, such as a proxy of models, and whose log is read at
//! regular times.

use super::condition::Condition;
use super::declared::CONFIG;
use super::meter::Meters;
use super::mistakes::Mistakes;
use super::rate::Rates;
use super::span::Span;
use super::words::one_of;
use extension_contract::FieldErrorCode;
use extension_contract::pointer::escaped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum number of meters: the measurements of a page are looked up in one call of the host.
const METERS_MAX: usize = 4;

/// The source of measurements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageSource {
    /// Time between two reads of the log of an account.
    pub every: Span,
    /// The meter of each quantity of a request, for example `input: input_tokens`.
    pub meters: BTreeMap<String, String>,
    /// The configuration key without whose value nothing is read (`config.KEY`).
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl UsageSource {
    /// Returns the configuration key that must have a value.
    pub(crate) fn setting(&self) -> Option<&str> {
        self.condition.as_ref()?.config_key()
    }

    /// Returns the attributes of the meters, sorted.
    pub(crate) fn attributes<'m>(&self, meters: &'m Meters) -> Vec<&'m str> {
        let decls = self.meters.values().filter_map(|name| meters.get(name));
        let mut attributes: Vec<&str> = decls.flat_map(|decl| &decl.attributes).map(String::as_str).collect();
        attributes.sort();
        attributes.dedup();
        attributes
    }

    /// Checks the names of the clause. Each meter has a rate, since the requests of the log are paid.
    pub(crate) fn check(&self, rates: &Rates, config: &[String], mistakes: &mut Mistakes) {
        if !(1..=METERS_MAX).contains(&self.meters.len()) {
            let expected = format!("the meters of 1 to {METERS_MAX} quantities");
            mistakes.add("/usage_source/meters", FieldErrorCode::OutOfRange, "", expected);
        }
        let known: Vec<&String> = rates.keys().collect();
        for (index, (quantity, meter)) in self.meters.iter().enumerate() {
            let path = format!("/usage_source/meters/{}", escaped(quantity));
            if !rates.contains_key(meter) {
                mistakes.unknown(&path, meter, "has no rate", one_of(&known));
            } else if self.meters.values().take(index).any(|other| other == meter) {
                let found = format!("`{meter}` is the meter of two quantities");
                mistakes.wrong(&path, found, "one quantity for each meter");
            }
        }
        let settings = CONFIG.iter().map(|(key, ..)| *key).chain(config.iter().map(String::as_str));
        let settings: Vec<String> = settings.map(|key| format!("config.{key}")).collect();
        if let Some(condition) = self.condition.as_ref().map(ToString::to_string)
            && !settings.contains(&condition)
        {
            mistakes.unknown("/usage_source/if", &condition, "is not declared", one_of(&settings));
        }
    }
}
