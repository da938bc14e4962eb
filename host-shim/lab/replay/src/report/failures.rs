//! Groups the failures of a replay: the same failure in several API versions is listed once.

use crate::play::{CaseReport, Failure};

/// A failure of a scenario, with the API versions in which it occurs.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Name of the scenario.
    pub name: String,
    /// API versions, in the order in which they ran.
    pub versions: Vec<String>,
    /// The failure.
    pub failure: Failure,
}

impl Told {
    /// Returns the scenario and its versions, such as `a customer pays (2020-08-27, 2025-03-31.basil)`.
    pub fn heading(&self) -> String {
        format!("{} ({})", self.name, self.versions.join(", "))
    }
}

/// Returns the failures of the cases that are not known to fail, in order. A failure that occurs in several API
/// versions is listed once.
pub fn failures(cases: &[CaseReport]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    for case in cases.iter().filter(|case| case.failed()) {
        for failure in &case.failures {
            match told.iter_mut().find(|known| known.failure == *failure && known.name == case.name) {
                Some(known) if known.versions.contains(&case.version) => {}
                Some(known) => known.versions.push(case.version.clone()),
                None => {
                    let (name, versions) = (case.name.clone(), vec![case.version.clone()]);
                    told.push(Told { name, versions, failure: failure.clone() });
                }
            }
        }
    }
    told
}
