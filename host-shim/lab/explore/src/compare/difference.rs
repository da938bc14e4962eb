//! Computes the differences of two runs of an event, and of two states of an account.

use crate::compare::allow::Field;
use crate::compare::form::{Change, changes, name, together, word};
use crate::compare::moment::{AccountState, EventRun, LEDGER};
use host_replay::diff::pretty;
use serde_json::{Map, Value, json};

/// A difference in one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The field.
    pub field: Field,
    /// Short form of the difference.
    pub form: String,
    /// Value with OLD, over several lines.
    pub old: String,
    /// Value with NEW, over several lines.
    pub new: String,
    /// True if later differences can follow from this one, that is, if the state, the effects, the outcome or the
    /// account differs.
    pub lasts: bool,
}

/// Returns the differences of two runs of one event, except their fuel.
pub fn of_runs(old: &EventRun, new: &EventRun) -> Vec<Difference> {
    [outcome(old, new), reply(old, new), effects(old, new)].into_iter().flatten().collect()
}

/// Returns the difference that an event ran on one side only.
pub fn only_one(old: Option<&EventRun>) -> Difference {
    let [ran, not] = ["ran", "did not run"].map(str::to_owned);
    let (old, new) = if old.is_some() { (ran, not) } else { (not, ran) };
    Difference { field: Field::Outcome, form: format!("{old} -> {new}"), old, new, lasts: true }
}

fn outcome(old: &EventRun, new: &EventRun) -> Option<Difference> {
    if (&old.outcome, &old.reason, &old.account) == (&new.outcome, &new.reason, &new.account) {
        return None;
    }
    let text = |turn: &EventRun, in_short: bool| {
        let reason = turn.reason.as_ref().map(|reason| if in_short { word(reason) } else { reason.clone() });
        match reason {
            Some(reason) => format!("{}({reason})", turn.outcome),
            None => turn.outcome.clone(),
        }
    };
    let (short_old, short_new) = (text(old, true), text(new, true));
    let form = match (old.account == new.account, short_old == short_new) {
        (true, _) => format!("{short_old} -> {short_new}"),
        (false, true) => format!("{short_old}: the account differs"),
        (false, false) => format!("{short_old} -> {short_new}, the account differs"),
    };
    let whole = |turn: &EventRun| match &turn.account {
        Some(account) => format!("{} in {account}", text(turn, false)),
        None => text(turn, false),
    };
    let lasts = old.outcome != new.outcome || old.account != new.account;
    Some(Difference { field: Field::Outcome, form, old: whole(old), new: whole(new), lasts })
}

fn reply(old: &EventRun, new: &EventRun) -> Option<Difference> {
    if old.reply == new.reply {
        return None;
    }
    let forms = changes(old.reply.as_ref(), new.reply.as_ref());
    let form = together(forms.iter().map(Change::short).collect());
    let text = |turn: &EventRun| turn.reply.as_ref().map(pretty).unwrap_or_default();
    Some(Difference { field: Field::Reply, form, old: text(old), new: text(new), lasts: false })
}

fn effects(old: &EventRun, new: &EventRun) -> Option<Difference> {
    if old.effects == new.effects {
        return None;
    }
    let kind = |effect: &Value| effect["kind"].as_str().unwrap_or_default().to_owned();
    let (mut left, mut forms): (Vec<&Value>, Vec<String>) = (new.effects.iter().collect(), Vec::new());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for effect in &old.effects {
        let same_key = |other: &&Value| (&other["kind"], &other["key"]) == (&effect["kind"], &effect["key"]);
        match left.iter().position(same_key) {
            Some(at) => {
                let other = left.remove(at);
                let changed = changes(Some(&effect["payload"]), Some(&other["payload"]));
                forms.extend(changed.iter().map(|change| format!("{} {}", kind(effect), change.short())));
                if !changed.is_empty() {
                    before.push(effect.clone());
                    after.push(other.clone());
                }
            }
            None => {
                forms.push(format!("- {}", kind(effect)));
                before.push(effect.clone());
            }
        }
    }
    forms.extend(left.iter().map(|effect| format!("+ {}", kind(effect))));
    after.extend(left.into_iter().cloned());
    let form = if forms.is_empty() { "the order differs".to_owned() } else { together(forms) };
    if before.is_empty() && after.is_empty() {
        (before, after) = (old.effects.clone(), new.effects.clone());
    }
    let (old, new) = (pretty(&Value::Array(before)), pretty(&Value::Array(after)));
    Some(Difference { field: Field::Effects, form, old, new, lasts: true })
}

/// The differences between two states of an account, and the same as one JSON value. If that value is unchanged after a
/// later event, the event caused no new difference.
pub(crate) fn of_states(old: &AccountState, new: &AccountState) -> (Vec<Difference>, Value) {
    let mut found = Vec::new();
    let money = changes(Some(&old.money), Some(&new.money));
    if !money.is_empty() {
        found.push(difference(Field::Money, &money));
    }
    let mut rows = changes(Some(&old.state), Some(&new.state));
    // A difference in the ledger sums is reported once, so its entries are not reported as rows as well.
    if !money.is_empty() {
        rows.retain(|change| change.path.first().is_none_or(|section| section != LEDGER));
    }
    if !rows.is_empty() {
        found.push(difference(Field::State, &rows));
    }
    let known = |change: &Change| json!([change.path, change.old, change.new]);
    (found, money.iter().chain(&rows).map(known).collect())
}

fn difference(field: Field, changes: &[Change]) -> Difference {
    let short = |change: &Change| {
        let mut change = change.clone();
        // Removes the id of a row, and the owner's id of a ledger account.
        if let (Field::State, Some(id)) = (field, change.path.get_mut(1)) {
            *id = "*".to_owned();
        }
        if let (Field::Money, Some(account)) = (field, change.path.get_mut(1)) {
            *account = account.split(':').take(2).map(name).collect::<Vec<_>>().join("/");
        }
        change.short()
    };
    let form = together(changes.iter().map(short).collect());
    let side = |of: fn(&Change) -> Option<&Value>| {
        let mut whole = Value::Object(Map::new());
        for change in changes {
            let Some(value) = of(change) else { continue };
            let mut at = &mut whole;
            for part in &change.path {
                if !at.is_object() {
                    *at = json!({});
                }
                at = &mut at[part.as_str()];
            }
            *at = value.clone();
        }
        pretty(&whole)
    };
    let (old, new) = (side(|change| change.old.as_ref()), side(|change| change.new.as_ref()));
    Difference { field, form, old, new, lasts: true }
}
