//! Counts event kinds, outcomes and effects from the lines of a replay.

use crate::coverage::items::{KindRow, OUTCOMES};
use host_replay::line::{InputLine, Line};
use host_store::OF_HOST;
use std::collections::{BTreeMap, BTreeSet};

/// Counts of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    kinds: BTreeMap<String, ([u64; 6], BTreeMap<String, u64>)>,
    effects: BTreeMap<String, u64>,
}

impl Reached {
    /// Counts the lines of one story.
    pub fn of<'l>(lines: impl IntoIterator<Item = &'l Line>) -> Reached {
        let mut reached = Reached::default();
        // The line of a later run has no kind: the kind is on the first line of the event.
        let mut kinds: BTreeMap<&str, String> = BTreeMap::new();
        for line in lines {
            match line {
                Line::Input(line) => {
                    kinds.insert(&line.event, line.kind.clone());
                    reached.note(line.kind.clone(), line);
                }
                Line::Derived { derived } => {
                    let kind = match OF_HOST.contains(&derived.kind.as_str()) {
                        true => derived.kind.clone(),
                        false => format!("{} (result)", derived.kind),
                    };
                    reached.note(kind, derived);
                }
                Line::Later { later } => {
                    let Some(kind) = kinds.get(later.event.as_str()) else { continue };
                    reached.count(kind.clone(), later.outcome, later.reason.as_deref());
                }
            }
        }
        reached
    }

    fn note(&mut self, kind: String, line: &InputLine) {
        self.count(kind, line.outcome, line.reason.as_deref());
        for effect in &line.effects {
            *self.effects.entry(effect.kind.clone()).or_default() += 1;
        }
    }

    fn count(&mut self, kind: String, outcome: &str, reason: Option<&str>) {
        // `failed` is not an outcome.
        let Some(at) = OUTCOMES.iter().position(|known| *known == outcome) else { return };
        let (outcomes, refusals) = self.kinds.entry(kind).or_default();
        outcomes[at] += 1;
        if OUTCOMES[at] == "rejected" {
            // A refusal reads `code(detail)`.
            let code = reason.unwrap_or_default().split('(').next().unwrap_or_default();
            *refusals.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Counts an effect that no line reports.
    pub fn add_effect(&mut self, kind: &str) {
        *self.effects.entry(kind.to_owned()).or_default() += 1;
    }

    /// Adds the counts of another story.
    pub fn add(&mut self, other: Reached) {
        for (kind, (outcomes, refusals)) in other.kinds {
            let known = self.kinds.entry(kind).or_default();
            known.0.iter_mut().zip(outcomes).for_each(|(known, more)| *known += more);
            refusals.into_iter().for_each(|(code, more)| *known.1.entry(code).or_default() += more);
        }
        other.effects.into_iter().for_each(|(kind, more)| *self.effects.entry(kind).or_default() += more);
    }

    /// Number of events with an outcome.
    pub fn outcome(&self, outcome: &str) -> u64 {
        let at = OUTCOMES.iter().position(|known| *known == outcome);
        at.map_or(0, |at| self.kinds.values().map(|(outcomes, _)| outcomes[at]).sum())
    }

    /// Number of events refused with a code.
    pub fn refusal(&self, code: &str) -> u64 {
        self.kinds.values().filter_map(|(_, refusals)| refusals.get(code)).sum()
    }

    /// Number of events of a kind.
    pub fn kind(&self, kind: &str) -> u64 {
        self.kinds.get(kind).map_or(0, |(outcomes, _)| outcomes.iter().sum())
    }

    /// Number of requested effects of a kind.
    pub fn effect(&self, kind: &str) -> u64 {
        self.effects.get(kind).copied().unwrap_or_default()
    }

    /// The table: declared kinds, then other kinds that occurred.
    pub fn rows(&self, declared: &BTreeSet<String>) -> Vec<KindRow> {
        let row = |kind: &String| {
            let (outcomes, refusals) = self.kinds.get(kind).cloned().unwrap_or_default();
            KindRow { kind: kind.clone(), declared: declared.contains(kind), outcomes, refusals }
        };
        let others = self.kinds.keys().filter(|kind| !declared.contains(*kind));
        declared.iter().chain(others).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_replay::line::{EffectLine, LaterLine};

    fn line(event: &str, kind: &str, outcome: &'static str, reason: Option<&str>, effects: &[&str]) -> InputLine {
        InputLine {
            event: event.to_owned(),
            kind: kind.to_owned(),
            account: None,
            outcome,
            reason: reason.map(str::to_owned),
            effects: effects.iter().map(|kind| EffectLine { kind: (*kind).to_owned(), key: "k".to_owned() }).collect(),
            source: None,
        }
    }

    #[test]
    fn lines_become_counts_by_kind_outcome_and_code() {
        let later = LaterLine { event: "e1".into(), outcome: "rejected", reason: Some("name-taken(x)".into()) };
        let lines = [
            Line::Input(line("e1", "made", "deferred", Some("fact(f)"), &[])),
            Line::Input(line("e2", "made", "failed", Some("trap"), &[])),
            Line::Later { later },
            Line::Derived { derived: line("d1", "mail.send", "applied", None, &["timer.at"]) },
            Line::Derived { derived: line("d2", "timer.at", "applied", None, &[]) },
            Line::Input(line("e3", "made", "rejected", Some("unclaimed"), &["mail.send"])),
        ];
        let mut reached = Reached::of(&lines);
        reached.add(Reached::of(&lines[5..]));
        let declared = ["made", "never"].map(str::to_owned).into();
        let rows = reached.rows(&declared);
        let short: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.declared, row.outcomes)).collect();
        let expected = [
            ("made", true, [0, 0, 0, 0, 1, 3]),
            ("never", true, [0; 6]),
            ("mail.send (result)", false, [1, 0, 0, 0, 0, 0]),
            ("timer.at", false, [1, 0, 0, 0, 0, 0]),
        ];
        assert_eq!(short, expected);
        assert_eq!(rows[0].refusals, [("name-taken".to_owned(), 1), ("unclaimed".to_owned(), 2)].into());
        assert_eq!((reached.kind("made"), reached.kind("never"), reached.outcome("applied")), (4, 0, 2));
        assert_eq!((reached.refusal("unclaimed"), reached.refusal("forbidden")), (2, 0));
        assert_eq!((reached.effect("mail.send"), reached.effect("timer.at"), reached.effect("none")), (2, 1, 0));
    }
}
