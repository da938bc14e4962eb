//! Compares the fuel that two components use for the same events.

use crate::compare::Options;
use crate::compare::allow::Field;
use std::collections::BTreeMap;

/// The fuel of both components, excluding native runs and events that the host decided itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fuel {
    /// Fuel by kind of event.
    pub kinds: BTreeMap<String, Spent>,
}

/// Fuel of some runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Number of runs on each side.
    pub runs: u64,
    /// Fuel of OLD.
    pub old: u64,
    /// Fuel of NEW.
    pub new: u64,
}

impl Spent {
    /// Additional fuel of NEW in tenths of a percent; negative if NEW uses less.
    pub fn more_permille(&self) -> i64 {
        let (old, new) = (i128::from(self.old.max(1)), i128::from(self.new));
        i64::try_from((new - i128::from(self.old)) * 1000 / old).unwrap_or(i64::MAX)
    }

    /// The additional fuel as text: `+5.3 %`.
    pub fn more(&self) -> String {
        let permille = self.more_permille();
        let sign = if permille < 0 { '-' } else { '+' };
        let permille = permille.unsigned_abs();
        format!("{sign}{}.{} %", permille / 10, permille % 10)
    }

    /// True if NEW uses over `percent` percent more fuel than OLD.
    fn is_beyond(&self, percent: u32) -> bool {
        u128::from(self.new) * 100 > u128::from(self.old) * (100 + u128::from(percent))
    }
}

impl Fuel {
    /// Adds a run with its fuel on both sides. Ignores a run without fuel on one side.
    pub(crate) fn add(&mut self, kind: &str, old: u64, new: u64) {
        if old == 0 || new == 0 {
            return;
        }
        let spent = self.kinds.entry(kind.to_owned()).or_default();
        spent.runs += 1;
        spent.old += old;
        spent.new += new;
    }

    /// The sum over all kinds.
    pub fn total(&self) -> Spent {
        self.kinds.values().fold(Spent::default(), |sum, spent| Spent {
            runs: sum.runs + spent.runs,
            old: sum.old + spent.old,
            new: sum.new + spent.new,
        })
    }

    /// Kinds with more fuel than `--fuel-within` and `--allow` permit; `all` is the sum over all kinds.
    pub fn beyond(&self, options: &Options) -> Vec<String> {
        let Some(percent) = options.fuel_within else { return Vec::new() };
        let allowed = |kind: &str| options.allow.iter().any(|allowed| allowed.allows(Field::Fuel, kind));
        let all = ("all".to_owned(), self.total());
        let kinds = self.kinds.iter().map(|(kind, spent)| (kind.clone(), *spent));
        let beyond = |(kind, spent): &(String, Spent)| spent.is_beyond(percent) && !allowed(kind);
        [all].into_iter().chain(kinds).filter(beyond).map(|(kind, _)| kind).collect()
    }
}
