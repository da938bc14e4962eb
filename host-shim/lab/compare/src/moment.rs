//! What one event led to on one side.

use extension_contract::Account;
use host::processor::{Processor, Report};
use host_replay::play::reply_value;
use host_replay::state::{account_rows, parsed};
use host_replay::view::ledger_sums;
use host_scenario::error::ReplayError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Section of the rows that the ledger's sums are of.
pub(crate) const LEDGER: &str = "records/ledger";

/// What an event led to: the runs that followed from it, and what their accounts hold afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Runs of events, in their order.
    pub turns: Vec<Turn>,
    /// What accounts hold.
    pub held: BTreeMap<String, Held>,
}

/// One run of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Id of the event.
    pub event: String,
    /// Its kind.
    pub kind: String,
    /// The account that it was placed in.
    pub account: Option<String>,
    /// Outcome without its reason, or `failed`.
    pub outcome: String,
    /// Its reason.
    pub reason: Option<String>,
    /// What the caller gets.
    pub reply: Option<Value>,
    /// What it newly asked for: `{kind, key, payload}`.
    pub effects: Vec<Value>,
    /// Fuel of its call; 0 natively, and where the host decided by itself.
    pub fuel: u64,
}

/// What an account holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Rows by section and id.
    pub state: Value,
    /// Sums of the ledger in minor units, by currency and account of the ledger.
    pub money: Value,
}

impl Default for Held {
    fn default() -> Self {
        Held { state: json!({}), money: json!({}) }
    }
}

impl Turn {
    /// A run, with the payloads of what it asked for.
    pub fn of(processor: &Processor, report: &Report) -> Result<Turn, ReplayError> {
        let mut effects = Vec::with_capacity(report.effects.len());
        if let Some(account) = &report.account {
            let scope = processor.scope(account.clone());
            for asked in &report.effects {
                let generations = processor.store().effect(&scope, &asked.key)?;
                let row = generations.iter().find(|row| row.effect.generation == asked.generation);
                let payload = row.map_or(Value::Null, |row| parsed(&row.effect.payload));
                effects.push(json!({"kind": asked.kind, "key": asked.key, "payload": payload}));
            }
        }
        Ok(Turn {
            event: report.event_id.clone(),
            kind: report.kind.clone(),
            account: report.account.as_ref().map(Account::to_string),
            outcome: report.result.name().to_owned(),
            reason: report.result.reason(),
            reply: report.reply.as_ref().map(reply_value),
            effects,
            fuel: report.fuel,
        })
    }
}

impl Held {
    /// What an account holds now.
    pub fn of(processor: &Processor, account: &Account) -> Result<Held, ReplayError> {
        let rows = account_rows(processor, account)?;
        let money = rows.sections.get(LEDGER).map(ledger_sums).unwrap_or_default();
        let sections = rows.sections.into_iter().filter(|(_, rows)| !rows.is_empty());
        let state: Map<String, Value> =
            sections.map(|(section, rows)| (section, Value::Object(rows.into_iter().collect()))).collect();
        Ok(Held { state: Value::Object(state), money: json!(money) })
    }
}

impl Moment {
    /// What these runs led to, with what these accounts hold.
    pub fn of<'a>(
        processor: &Processor,
        reports: &[Report],
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> Result<Moment, ReplayError> {
        let turns = reports.iter().map(|report| Turn::of(processor, report)).collect::<Result<_, _>>()?;
        let held = accounts.into_iter().map(|account| Ok((account.to_string(), Held::of(processor, account)?)));
        Ok(Moment { turns, held: held.collect::<Result<_, ReplayError>>()? })
    }
}
