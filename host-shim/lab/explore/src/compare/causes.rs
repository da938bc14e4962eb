//! Groups differences by cause, and separates the differences that only follow from an earlier difference.

use crate::compare::allow::{Allowed, Field};
use crate::compare::difference::{Difference, of_runs, of_states, only_one};
use crate::compare::fuel::Fuel;
use crate::compare::moment::{AccountState, EventRun, Moment};
use crate::compare::place::EventPlace;
use host_replay::diff::between;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The kind under which differences of the catalog at the start of a case are reported.
const CATALOG: &str = "catalog.load";

/// The key by which differences are grouped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Kind of the event.
    pub kind: String,
    /// The field that differs.
    pub field: Field,
    /// Short form of the old and the new value, without ids, times and amounts.
    pub form: String,
}

/// Differences with one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The common key of the differences.
    pub key: Key,
    /// True if the differences are allowed.
    pub allowed: bool,
    /// Number of differences.
    pub count: u64,
    /// Number of later events that differ as a consequence of this cause.
    pub follows: u64,
    /// The first difference.
    pub first: Example,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Location of the event.
    pub place: EventPlace,
    /// Id of the event.
    pub event: String,
    /// Account of the event.
    pub account: Option<String>,
    /// Unified diff from the old to the new value.
    pub diff: String,
}

/// Compares moments one by one and counts their differences by cause.
pub struct Grouper<'a> {
    allow: &'a [Allowed],
    causes: Vec<Cause>,
    index: HashMap<Key, usize>,
    fuel: Fuel,
    runs: u64,
    case: Case,
}

/// State of the case that is being compared.
#[derive(Default)]
struct Case {
    /// The cause from which later differences of an account follow, as an index of `causes`.
    roots: HashMap<Option<String>, usize>,
    last_root: Option<usize>,
    /// All differences in the state of an account after its last moment.
    known: HashMap<String, Value>,
    first: Option<(usize, Key, Option<String>)>,
}

/// The event and account of a difference.
struct Subject<'a> {
    place: &'a EventPlace,
    step: usize,
    kind: &'a str,
    event: &'a str,
    account: Option<String>,
}

impl<'a> Grouper<'a> {
    /// Creates an empty grouper.
    pub fn new(allow: &'a [Allowed]) -> Self {
        let (causes, index) = (Vec::new(), HashMap::new());
        Grouper { allow, causes, index, fuel: Fuel::default(), runs: 0, case: Case::default() }
    }

    /// Begins a new case. Its differences do not follow from the differences of earlier cases.
    pub fn begin_case(&mut self) {
        self.case = Case::default();
    }

    /// The first difference of the case that is not allowed: step, cause and account.
    pub fn first_of_case(&self) -> Option<&(usize, Key, Option<String>)> {
        self.case.first.as_ref()
    }

    /// Returns the causes, the fuel and the number of compared runs.
    pub fn into_parts(self) -> (Vec<Cause>, Fuel, u64) {
        (self.causes, self.fuel, self.runs)
    }

    /// Counts one difference: NEW refuses a business that OLD accepts.
    pub fn refused(&mut self, place: &EventPlace, why: &str) {
        let difference = Difference {
            field: Field::Outcome,
            form: "taken -> refused".to_owned(),
            old: "taken".to_owned(),
            new: format!("refused: {why}"),
            lasts: true,
        };
        let of = Subject { place, step: 0, kind: CATALOG, event: CATALOG, account: None };
        self.count_or_follow(&of, vec![difference], true, &mut HashSet::new());
    }

    /// Compares the moments of a step on both sides.
    pub fn compare_moments(&mut self, place: &EventPlace, step: usize, old: &Moment, new: &Moment) {
        // Accounts that differ from this step on, and the first differing event of each account in this step.
        let mut since_now: HashSet<Option<String>> = HashSet::new();
        let mut differing: HashMap<Option<String>, (&str, &str)> = HashMap::new();
        let pairs = pairs(&old.turns, &new.turns);
        for (before, after) in &pairs {
            self.runs += 1;
            let Some(turn) = after.or(*before) else { continue };
            let found = match (before, after) {
                (Some(before), Some(after)) => {
                    self.fuel.add(&turn.kind, before.fuel, after.fuel);
                    of_runs(before, after)
                }
                _ => vec![only_one(*before)],
            };
            if found.is_empty() {
                continue;
            }
            let account = turn.account.clone();
            differing.entry(account.clone()).or_insert((&turn.kind, &turn.event));
            let of = Subject { place, step, kind: &turn.kind, event: &turn.event, account };
            let ran_once = before.is_none() || after.is_none();
            self.count_or_follow(&of, found, !ran_once, &mut since_now);
        }
        let nothing = AccountState::default();
        let accounts: BTreeSet<&String> = old.held.keys().chain(new.held.keys()).collect();
        for name in accounts {
            let [before, after] = [old, new].map(|moment| moment.held.get(name).unwrap_or(&nothing));
            let (found, known) = of_states(before, after);
            let last = self.case.known.insert(name.clone(), known.clone());
            if found.is_empty() || last.as_ref() == Some(&known) {
                continue;
            }
            let account = Some(name.clone());
            let own = |turn: &&EventRun| turn.account == account;
            let turn = pairs.iter().filter_map(|(before, after)| after.or(*before)).find(own);
            let by_turn = turn.map(|turn| (turn.kind.as_str(), turn.event.as_str()));
            let (kind, event) = differing.get(&account).copied().or(by_turn).unwrap_or((CATALOG, CATALOG));
            let same_event = since_now.contains(&account);
            let of = Subject { place, step, kind, event, account };
            match same_event {
                true => self.count_all(&of, found),
                false => self.count_or_follow(&of, found, true, &mut since_now),
            }
        }
    }

    /// Counts the differences of one event, either as causes or as consequences of an earlier cause. A difference that
    /// is not allowed never counts as a consequence of an allowed cause. `by_itself` is false for an event that ran on
    /// one side only: its difference is attributed to the cause of its account, or otherwise to the last cause of the
    /// case, allowed or not.
    fn count_or_follow(
        &mut self,
        of: &Subject<'_>,
        found: Vec<Difference>,
        by_itself: bool,
        since_now: &mut HashSet<Option<String>>,
    ) {
        let of_account = self.case.roots.get(&of.account).copied();
        let root = of_account.or(if by_itself { None } else { self.case.last_root });
        if let Some(root) = root {
            let all_allowed = found.iter().all(|difference| self.allows(difference.field, of.kind));
            if !by_itself || !self.causes[root].allowed || all_allowed {
                self.causes[root].follows += 1;
                return;
            }
        }
        since_now.insert(of.account.clone());
        self.count_all(of, found);
    }

    fn count_all(&mut self, of: &Subject<'_>, found: Vec<Difference>) {
        for difference in found {
            let lasts = difference.lasts;
            let cause = self.count(of, difference);
            let stronger = |known: &usize| !self.causes[*known].allowed || self.causes[cause].allowed;
            if lasts && !self.case.roots.get(&of.account).is_some_and(stronger) {
                self.case.roots.insert(of.account.clone(), cause);
                self.case.last_root = Some(cause);
            }
        }
    }

    fn count(&mut self, of: &Subject<'_>, difference: Difference) -> usize {
        let Difference { field, form, old, new, lasts: _ } = difference;
        let key = Key { kind: of.kind.to_owned(), field, form };
        let allowed = self.allows(field, of.kind);
        if !allowed && self.case.first.is_none() {
            self.case.first = Some((of.step, key.clone(), of.account.clone()));
        }
        if let Some(known) = self.index.get(&key) {
            self.causes[*known].count += 1;
            return *known;
        }
        let first = Example {
            place: of.place.clone(),
            event: of.event.to_owned(),
            account: of.account.clone(),
            diff: between(("OLD", &old), ("NEW", &new)),
        };
        self.index.insert(key.clone(), self.causes.len());
        self.causes.push(Cause { key, allowed, count: 1, follows: 0, first });
        self.causes.len() - 1
    }

    fn allows(&self, field: Field, kind: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.allows(field, kind))
    }
}

/// Pairs the runs of the same event, in the order of OLD. Events that ran only on NEW come last.
pub(crate) fn pairs<'m>(old: &'m [EventRun], new: &'m [EventRun]) -> Vec<(Option<&'m EventRun>, Option<&'m EventRun>)> {
    let mut left: Vec<&EventRun> = new.iter().collect();
    let mut found = Vec::with_capacity(old.len().max(new.len()));
    for turn in old {
        let same = left.iter().position(|other| other.event == turn.event);
        found.push((Some(turn), same.map(|at| left.remove(at))));
    }
    found.extend(left.into_iter().map(|turn| (None, Some(turn))));
    found
}

impl Cause {
    /// The cause as JSON.
    pub fn json(&self) -> Value {
        let Cause { key, allowed, count, follows, first } = self;
        json!({
            "kind": key.kind, "field": key.field.to_string(), "difference": key.form, "allowed": allowed,
            "count": count, "follows": follows,
            "first": {"place": first.place.to_string(), "event": first.event, "account": first.account, "diff": first.diff},
        })
    }
}
