//! Endings: events that an ordinary customer may cause after the last step of a story, such as a card that fails during a change, a voided
//! invoice, a dispute, or a payment that is reported after the account was closed. Each ending is compared with a counterpart, the same
//! story without the hostile step, and a relation between the two runs must hold.

mod list;

use crate::compose::Composer;
use crate::explorer::{Explorer, Finding, VariantKind, Written};
use crate::law::{Breach, Law, first_difference, leftover, standing};
use crate::plan::{Act, Plan};
use crate::stage::{Mark, Stage, accounts};
use crate::told::{Told, offers};
use extension_contract::{Account, Timestamp};
use host_replay::state::account_rows;
use host_replay::view;
use host_scenario::error::ReplayError;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The relation that must hold between a story with a hostile step and its counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Nobody may use more than in the counterpart.
    NotMore,
    /// Everybody may use the same as in the counterpart.
    Same,
    /// Money moves, a ledger changes, or somebody gets a mail.
    Heard,
    /// The same money moves.
    SameMoney,
    /// The payment grants something, or it is refunded, or operators get a mail.
    Given,
    /// Nobody gets a mail.
    Silent,
    /// The account leaves nothing at any provider, and no personal text in its rows.
    Erased,
}

/// A story with a hostile step, and its counterpart.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Description of the hostile step.
    pub name: String,
    pub relation: Relation,
    /// Number of written acts with which both runs begin.
    pub from: usize,
    pub with: Vec<Act>,
    pub without: Vec<Act>,
    /// Time until which both runs continue, in milliseconds since the epoch.
    pub until: Timestamp,
}

/// The result of a run.
struct Outcome {
    standing: Value,
    /// The requested movements of money.
    movements: Vec<String>,
    ledgers: Map<String, Value>,
    mails: BTreeSet<(String, String)>,
    mails_to_operators: usize,
}

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let tale = explorer.stage.tale.clone();
    let mut composer = Composer::of(&tale)?;
    let mut told = Told::by(&tale.case);
    let offers = offers(&tale.business, tale.scenario.given.livemode);
    let acts = &written.plan.acts;
    let end = written.marks[acts.len()].clock();
    explorer.stage.go_to(&written.marks[acts.len()])?;
    told.retain(&known_rows(&mut explorer.stage)?);
    let endings = list::all(&mut composer, &list::Story { tale: &tale, told, offers, acts, end })?;
    let endings = explorer.limits.sampled_of(endings, explorer.limits.samples);
    let extended = composer.tale();
    let mut stage = Stage::start(&extended)?;
    let mut marks: Vec<Mark> = vec![stage.mark()?];
    for act in acts {
        stage.act(act)?;
        marks.push(stage.mark()?);
    }
    for ending in endings {
        let mut outcomes = Vec::with_capacity(2);
        for acts in [&ending.without, &ending.with] {
            stage.go_to(&marks[ending.from])?;
            acts.iter().try_for_each(|act| stage.act(act))?;
            stage.time(ending.until)?;
            outcomes.push(Outcome::of(&mut stage)?);
        }
        let breach = match ending.relation {
            Relation::Erased => left(&mut stage)?,
            relation => judge(relation, &outcomes[0], &outcomes[1]),
        };
        if let Some(breach) = breach {
            let plan = |tail: &[Act]| Plan {
                acts: acts[..ending.from].iter().chain(tail).cloned().collect(),
                rest_ms: ending.until - tail.last().map_or(end, |act| act.clock),
                ..Plan::default()
            };
            let (reference, plan) = (plan(&ending.without), plan(&ending.with));
            let tale = extended.clone();
            explorer.record_finding(Finding {
                kind: VariantKind::Endings,
                breach,
                variant: ending.name,
                plan,
                reference,
                tale,
            });
        }
        if !explorer.count_variants(VariantKind::Endings, 1, 2) {
            break;
        }
    }
    explorer.count_decisions(stage.decisions());
    Ok(())
}

/// Returns the ids of the invoices, subscriptions and connected accounts that the accounts' rows mention.
fn known_rows(stage: &mut Stage<'_>) -> Result<BTreeSet<String>, ReplayError> {
    let host = stage.host();
    let mut known = BTreeSet::new();
    for account in accounts(host)? {
        let mut rows = account_rows(host.processor(), &account)?;
        for section in ["records/invoices", "subscriptions"] {
            known.extend(rows.sections.remove(section).unwrap_or_default().into_keys());
        }
        let payouts = rows.sections.remove("records/account").and_then(|mut rows| rows.remove("payouts"));
        known.extend(payouts.and_then(|payouts| payouts["connected"].as_str().map(str::to_owned)));
    }
    Ok(known)
}

impl Outcome {
    fn of(stage: &mut Stage<'_>) -> Result<Outcome, ReplayError> {
        let host = stage.host();
        let mut found = Outcome {
            standing: standing(host)?,
            movements: crate::law::requested_movements(host)?,
            ledgers: Map::new(),
            mails: BTreeSet::new(),
            mails_to_operators: 0,
        };
        for scope in host.store().scopes(None)? {
            let ledger = view::ledger(host, &scope.account)?;
            found.ledgers.insert(scope.account.to_string(), ledger["balances"].clone());
            for row in host.store().effects_of(&scope, 0, usize::MAX)? {
                if view::is_notice(&row.effect.kind) {
                    let payload: Value = serde_json::from_str(&row.effect.payload).unwrap_or_default();
                    found.mails_to_operators += usize::from(payload["to"] == "admin");
                    found.mails.insert((scope.account.to_string(), row.effect.key));
                }
            }
        }
        Ok(found)
    }

    /// The allowed amounts: account, entitlement and amount; -1 means no limit.
    fn allowed(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.standing.as_object().into_iter().flatten().flat_map(|(account, of)| {
            let rows = of["entitlements"].as_object().into_iter().flatten();
            rows.map(move |(key, row)| (account.as_str(), key.as_str(), row["allowed"].as_i64().unwrap_or(0)))
        })
    }

    fn allows(&self, account: &str, key: &str) -> i64 {
        self.standing[account]["entitlements"][key]["allowed"].as_i64().unwrap_or(0)
    }

    /// Returns the first amount that this run allows beyond the other run, as text.
    fn first_beyond(&self, other: &Outcome) -> Option<String> {
        let is_more = |one: i64, two: i64| two != -1 && (one == -1 || one > two);
        self.allowed().find_map(|(account, key, allowed)| {
            let should = other.allows(account, key);
            is_more(allowed, should).then(|| format!("{account} may use {allowed} {key}, and {should} is paid for"))
        })
    }

    /// The entitlements alone, for a scenario's expectations.
    fn entitlements(&self) -> Value {
        let mut found: Map<String, Value> = Map::new();
        for (account, key, allowed) in self.allowed().filter(|(_, _, allowed)| *allowed != 0) {
            let of_account = found.entry(account.to_owned()).or_insert_with(|| json!({"entitlements": {}}));
            of_account["entitlements"][key] = json!({"allowed": allowed});
        }
        Value::Object(found)
    }

    fn is_heard(&self, without: &Outcome) -> bool {
        self.movements != without.movements || self.ledgers != without.ledgers || !self.mails.is_subset(&without.mails)
    }
}

/// Returns how a relation between the counterpart and the story with the hostile step is broken.
fn judge(relation: Relation, without: &Outcome, with: &Outcome) -> Option<Breach> {
    let values = || Some((without.entitlements(), with.entitlements()));
    match relation {
        Relation::NotMore => {
            let what = with.first_beyond(without)?;
            Some(Breach { values: values(), ..Breach::new(Law::Paid, what) })
        }
        Relation::Same => {
            let what = match with.first_beyond(without) {
                Some(more) => more,
                None => first_difference(&without.entitlements(), &with.entitlements())?,
            };
            Some(Breach { values: values(), ..Breach::new(Law::Paid, what) })
        }
        Relation::Heard => (!with.is_heard(without))
            .then(|| Breach::new(Law::Heard, "no book changes, no money moves, and nobody gets a mail".to_owned())),
        Relation::SameMoney => {
            // A credit to the Stripe balance is of no use to a closed account.
            let is_money = |movement: &&String| !movement.starts_with("stripe.credit.create");
            let what = with.movements.iter().filter(is_money).find(|movement| !without.movements.contains(movement));
            let what = what.map(|more| format!("also requested: {more}")).or_else(|| {
                let mut before = without.movements.iter().filter(is_money);
                let less = before.find(|movement| !with.movements.contains(movement))?;
                Some(format!("not requested: {less}"))
            })?;
            Some(Breach::new(Law::SameMoney, what))
        }
        Relation::Given => {
            let is_settled =
                with.movements != without.movements || with.mails_to_operators > without.mails_to_operators;
            let is_given = with.first_beyond(without).is_some() || with.standing != without.standing;
            (!is_given && !is_settled).then(|| {
                Breach::new(
                    Law::Heard,
                    "who pays gets nothing, no money goes back, and no operator gets a mail".to_owned(),
                )
            })
        }
        Relation::Silent => {
            let (account, key) = with.mails.difference(&without.mails).next()?;
            Some(Breach::new(Law::Heard, format!("{account} gets the mail {key}, which is not true")))
        }
        Relation::Erased => None,
    }
}

/// Returns what closed accounts have left behind after their erasure: a resource at a provider, or personal text from a body or a command.
fn left(stage: &mut Stage<'_>) -> Result<Option<Breach>, ReplayError> {
    let host = stage.host();
    if let Some(breach) = leftover(host)? {
        return Ok(Some(breach));
    }
    // Without the policy, personal data is kept.
    if host.setup().business.catalog["policies"]["erase_after"].is_null() {
        return Ok(None);
    }
    for account in accounts(host)? {
        let rows = account_rows(host.processor(), &account)?;
        let is_closed = rows.sections.get("records/account").is_some_and(|rows| rows.contains_key("closed"));
        if !is_closed || !matches!(account, Account::User(_) | Account::Organization(_)) {
            continue;
        }
        let scope = host.processor().scope(account.clone());
        if host.store().effect(&scope, "erase-account")?.is_empty() {
            return Ok(Some(Breach::new(Law::Left, format!("{account} is closed and never erased"))));
        }
        let scope = scope.name();
        if let Some(resource) = host.scripted().inventory().into_iter().find(|resource| resource.id.scope == scope) {
            return Ok(Some(Breach::new(Law::Left, format!("{} of {account} is left after its erasure", resource.id))));
        }
        for (section, rows) in &rows.sections {
            for (id, row) in rows {
                if let Some(text) = addresses(&row.to_string()).next() {
                    let what = format!("{section} {id} of {account} names {text} after its erasure");
                    return Ok(Some(Breach::new(Law::Left, what)));
                }
            }
        }
    }
    Ok(None)
}

/// Returns the e-mail addresses in a text.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
    text.split(move |c: char| !is_part(c))
        .filter(|word| word.split_once('@').is_some_and(|(_, host)| host.contains('.')))
}
