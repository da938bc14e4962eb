//! Differences counted by their cause, and those that follow from an earlier one.

use crate::allow::{Allowed, Field};
use crate::difference::{Difference, of_held, of_turns, only_one};
use crate::fuel::Fuel;
use crate::moment::{Held, Moment, Turn};
use crate::place::EventPlace;
use host_replay::diff::between;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The kind of event that stands for the catalog at the start of a case.
const CATALOG: &str = "catalog.load";

/// What differences have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Kind of the event.
    pub kind: String,
    /// In what it differs.
    pub field: Field,
    /// Old and new in short, without ids, times and amounts.
    pub form: String,
}

/// Differences of one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What they have in common.
    pub key: Key,
    /// Whether they are allowed.
    pub allowed: bool,
    /// How many there are.
    pub count: u64,
    /// Events of the same accounts that differ later on, because of these.
    pub follows: u64,
    /// The first of them.
    pub first: Example,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Where the event is.
    pub place: EventPlace,
    /// Its id.
    pub event: String,
    /// Its account.
    pub account: Option<String>,
    /// Old and new as a unified diff.
    pub diff: String,
}

/// Counts differences while moments come in.
pub struct Grouper<'a> {
    allow: &'a [Allowed],
    causes: Vec<Cause>,
    index: HashMap<Key, usize>,
    fuel: Fuel,
    runs: u64,
    case: Case,
}

/// What is known of the case that is being compared.
#[derive(Default)]
struct Case {
    /// The cause because of which an account is another since.
    roots: HashMap<Option<String>, usize>,
    last_root: Option<usize>,
    /// All that an account differs in since its last moment.
    known: HashMap<String, Value>,
    first: Option<(usize, Key, Option<String>)>,
}

/// Of whom a difference is told.
struct Of<'a> {
    place: &'a EventPlace,
    step: usize,
    kind: &'a str,
    event: &'a str,
    account: Option<String>,
}

impl<'a> Grouper<'a> {
    /// Nothing counted yet.
    pub fn new(allow: &'a [Allowed]) -> Self {
        let (causes, index) = (Vec::new(), HashMap::new());
        Grouper { allow, causes, index, fuel: Fuel::default(), runs: 0, case: Case::default() }
    }

    /// Another case begins, in which nothing follows from what differed before.
    pub fn begin_case(&mut self) {
        self.case = Case::default();
    }

    /// The first difference of the case that is not allowed: its step, its cause and its account.
    pub fn first_of_case(&self) -> Option<&(usize, Key, Option<String>)> {
        self.case.first.as_ref()
    }

    /// What was counted: the causes, the fuel, and the runs that were held against each other.
    pub fn into_parts(self) -> (Vec<Cause>, Fuel, u64) {
        (self.causes, self.fuel, self.runs)
    }

    /// NEW does not begin with a business that OLD begins with.
    pub fn refused(&mut self, place: &EventPlace, why: &str) {
        let difference = Difference {
            field: Field::Outcome,
            form: "taken -> refused".to_owned(),
            old: "taken".to_owned(),
            new: format!("refused: {why}"),
            lasts: true,
        };
        let of = Of { place, step: 0, kind: CATALOG, event: CATALOG, account: None };
        self.tell(&of, vec![difference], true, &mut HashSet::new());
    }

    /// Holds what a step led to on both sides against each other.
    pub fn hold(&mut self, place: &EventPlace, step: usize, old: &Moment, new: &Moment) {
        // Accounts that are another since this very step, and the turn by which each is.
        let mut since_now: HashSet<Option<String>> = HashSet::new();
        let mut differing: HashMap<Option<String>, (&str, &str)> = HashMap::new();
        let pairs = pairs(&old.turns, &new.turns);
        for (before, after) in &pairs {
            self.runs += 1;
            let Some(turn) = after.or(*before) else { continue };
            let found = match (before, after) {
                (Some(before), Some(after)) => {
                    self.fuel.add(&turn.kind, before.fuel, after.fuel);
                    of_turns(before, after)
                }
                _ => vec![only_one(*before)],
            };
            if found.is_empty() {
                continue;
            }
            let account = turn.account.clone();
            differing.entry(account.clone()).or_insert((&turn.kind, &turn.event));
            let of = Of { place, step, kind: &turn.kind, event: &turn.event, account };
            let ran_once = before.is_none() || after.is_none();
            self.tell(&of, found, !ran_once, &mut since_now);
        }
        let nothing = Held::default();
        let accounts: BTreeSet<&String> = old.held.keys().chain(new.held.keys()).collect();
        for name in accounts {
            let [before, after] = [old, new].map(|moment| moment.held.get(name).unwrap_or(&nothing));
            let (found, known) = of_held(before, after);
            let last = self.case.known.insert(name.clone(), known.clone());
            if found.is_empty() || last.as_ref() == Some(&known) {
                continue;
            }
            let account = Some(name.clone());
            let own = |turn: &&Turn| turn.account == account;
            let turn = pairs.iter().filter_map(|(before, after)| after.or(*before)).find(own);
            let by_turn = turn.map(|turn| (turn.kind.as_str(), turn.event.as_str()));
            let (kind, event) = differing.get(&account).copied().or(by_turn).unwrap_or((CATALOG, CATALOG));
            let same_event = since_now.contains(&account);
            let of = Of { place, step, kind, event, account };
            match same_event {
                true => self.count_all(&of, found),
                false => self.tell(&of, found, true, &mut since_now),
            }
        }
    }

    /// Tells differences of one event, unless they follow from an earlier one. What is not allowed follows from nothing that is
    /// allowed, unless it can't differ `by_itself`: an event of the host's own that ran on one side only.
    fn tell(&mut self, of: &Of<'_>, found: Vec<Difference>, by_itself: bool, since_now: &mut HashSet<Option<String>>) {
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

    fn count_all(&mut self, of: &Of<'_>, found: Vec<Difference>) {
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

    fn count(&mut self, of: &Of<'_>, difference: Difference) -> usize {
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

/// Turns of the same event, in OLD's order, then those that are only in NEW.
pub(crate) fn pairs<'m>(old: &'m [Turn], new: &'m [Turn]) -> Vec<(Option<&'m Turn>, Option<&'m Turn>)> {
    let mut left: Vec<&Turn> = new.iter().collect();
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
