//! Writes the results of OLD as expectations of a scenario, where NEW differs.

use crate::compare::causes::pairs;
use crate::compare::form::changes;
use crate::compare::moment::{AccountState, EventRun, Moment};
use extension_contract::Account;
use host_scenario::matcher::Matcher;
use host_scenario::model::{OutcomeExpectation, SECTIONS, Scenario, SectionExpectation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Expects the outcome, the reply and the effects of the step's own event, as far as they differ.
pub(super) fn expect(scenario: &mut Scenario, number: usize, old: &Moment, new: &Moment) {
    let Some(step) = scenario.steps.get_mut(number) else { return };
    let Some(id) = step.action.event_id().map(str::to_owned) else { return };
    let own = pairs(&old.turns, &new.turns).into_iter().find_map(|pair| match pair {
        (Some(old), Some(new)) if old.event == id => Some((old, new)),
        _ => None,
    });
    let Some((old, new)) = own else { return };
    let of_outcome = |turn: &EventRun| (turn.outcome.clone(), turn.reason.clone(), turn.account.clone());
    if of_outcome(old) != of_outcome(new) {
        let text = |text: &Option<String>| text.as_ref().map(|text| Matcher::literal(0, json!(text)));
        step.outcome = Some(OutcomeExpectation {
            line: 0,
            outcome: old.outcome.clone(),
            reason: text(&old.reason).filter(|_| old.reason != new.reason),
            quota: None,
            account: text(&old.account).filter(|_| old.account != new.account),
            then: None,
        });
    }
    if old.reply != new.reply {
        step.reply = Some(old.reply.clone().map_or_else(|| Matcher::absent(0), |reply| Matcher::literal(0, reply)));
    }
    if old.effects != new.effects {
        step.effects = Some(Matcher::literal(0, Value::Array(old.effects.clone())));
    }
}

/// Expects, at the end, the differing rows and ledger sums of each account, and the differing effects that events of
/// the host requested.
pub(super) fn expect_end(scenario: &mut Scenario, old: &[(usize, Moment)], new: &[(usize, Moment)]) {
    let mut found: BTreeMap<(String, &'static str), Matcher> = BTreeMap::new();
    let nothing = AccountState::default();
    let held = |moments: &[(usize, Moment)]| moments.last().map(|(_, moment)| moment.held.clone()).unwrap_or_default();
    let (old_held, new_held) = (held(old), held(new));
    let accounts: BTreeSet<&String> = old_held.keys().chain(new_held.keys()).collect();
    for account in accounts {
        let [before, after] = [&old_held, &new_held].map(|held| held.get(account).unwrap_or(&nothing));
        for (section, matcher) in rows(before, after) {
            found.insert((account.clone(), section), matcher);
        }
        let money: Vec<String> = changes(Some(&before.money), Some(&after.money))
            .into_iter()
            .filter_map(|it| it.path.first().cloned())
            .collect();
        if !money.is_empty() {
            let of = |currency: &String| (currency.clone(), or_absent(before.money.get(currency)));
            let balances = Matcher::members(money.iter().collect::<BTreeSet<_>>().into_iter().map(of).collect());
            found.insert((account.clone(), "ledger"), Matcher::member("balances", balances));
        }
    }
    for (account, matcher) in effects(scenario, old, new) {
        found.insert((account, "effects"), matcher);
    }
    let of_scenario = scenario.given.account.as_ref().map(Account::to_string);
    for ((account, section), matcher) in found {
        let named = account.parse().ok().filter(|_| of_scenario.as_ref() != Some(&account));
        scenario.expect.sections.push(SectionExpectation { account: named, section, matcher });
    }
}

/// Rows of a section, grouped by collection if the section has collections.
type Collections = BTreeMap<String, Vec<(String, Matcher)>>;

/// Differing rows of OLD, by section. Leaves out claims: a claim belongs to no single account, and the object that
/// holds it has its own row.
fn rows(old: &AccountState, new: &AccountState) -> Vec<(&'static str, Matcher)> {
    let mut by_section: BTreeMap<&'static str, Collections> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for change in changes(Some(&old.state), Some(&new.state)) {
        let Some(section) = change.path.first() else { continue };
        let (name, collection) = section.split_once('/').map_or((section.as_str(), ""), |(name, rest)| (name, rest));
        let Some(name) = SECTIONS.into_iter().find(|known| *known == name && name != "claims") else { continue };
        let ids: Vec<String> = match change.path.get(1) {
            Some(id) => vec![id.clone()],
            // Only one side has the section.
            None => [&old.state, &new.state]
                .into_iter()
                .flat_map(|state| state[section].as_object().into_iter().flatten().map(|(id, _)| id.clone()))
                .collect(),
        };
        for id in ids {
            if seen.insert((section.clone(), id.clone())) {
                let matcher = or_absent(old.state.get(section).and_then(|rows| rows.get(&id)));
                by_section.entry(name).or_default().entry(collection.to_owned()).or_default().push((id, matcher));
            }
        }
    }
    let section = |(name, collections): (&'static str, Collections)| {
        let mut members = Vec::new();
        for (collection, rows) in collections {
            match collection.is_empty() {
                true => members.extend(rows),
                // If OLD has none of the rows and no such collection, the collection is expected to be absent.
                false
                    if rows.iter().all(|(id, _)| old.state[format!("records/{collection}")].get(id).is_none())
                        && old.state.get(format!("records/{collection}")).is_none() =>
                {
                    members.push((collection, Matcher::absent(0)));
                }
                false => members.push((collection, Matcher::members(rows))),
            }
        }
        (name, Matcher::members(members))
    };
    by_section.into_iter().map(section).collect()
}

/// Differing effects of events that are not steps, by account: as OLD requested them, or absent.
fn effects(scenario: &Scenario, old: &[(usize, Moment)], new: &[(usize, Moment)]) -> Vec<(String, Matcher)> {
    let steps: BTreeSet<&str> = scenario.steps.iter().filter_map(|step| step.action.event_id()).collect();
    let asked = |moments: &[(usize, Moment)]| {
        let turns = moments.iter().flat_map(|(_, moment)| &moment.turns);
        let mut found: BTreeMap<(String, String), Value> = BTreeMap::new();
        for turn in turns.filter(|turn| !steps.contains(turn.event.as_str())) {
            for effect in &turn.effects {
                let key = effect["key"].as_str().unwrap_or_default().to_owned();
                found.insert((turn.account.clone().unwrap_or_default(), key), effect.clone());
            }
        }
        found
    };
    let (old, new) = (asked(old), asked(new));
    let mut by_account: BTreeMap<String, Vec<(String, Matcher)>> = BTreeMap::new();
    for (account, key) in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let place = (account.clone(), key.clone());
        let (before, after) = (old.get(&place), new.get(&place));
        if before == after {
            continue;
        }
        let matcher = match before {
            Some(effect) => {
                let of = |name: &str| (name.to_owned(), Matcher::literal(0, effect[name].clone()));
                Matcher::members(vec![of("kind"), of("payload")])
            }
            None => Matcher::absent(0),
        };
        by_account.entry(account.clone()).or_default().push((key.clone(), matcher));
    }
    by_account.into_iter().map(|(account, members)| (account, Matcher::members(members))).collect()
}

fn or_absent(value: Option<&Value>) -> Matcher {
    value.map_or_else(|| Matcher::absent(0), |value| Matcher::literal(0, value.clone()))
}
