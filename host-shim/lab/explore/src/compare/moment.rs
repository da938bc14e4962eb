//! The results of one event on one side.

use extension_contract::Account;
use host_engine::processor::{Processor, Report};
use host_replay::play::reply_value;
use host_replay::state::{account_rows, parsed};
use host_replay::view::ledger_sums;
use host_scenario::error::ReplayError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Section with the rows of the ledger.
pub(crate) const LEDGER: &str = "records/ledger";

/// The results of an event: the runs that it triggered, and the state of their accounts afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// Runs of events, in order.
    pub turns: Vec<EventRun>,
    /// State by account.
    pub held: BTreeMap<String, AccountState>,
}

/// One run of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRun {
    /// Id of the event.
    pub event: String,
    /// Kind of the event.
    pub kind: String,
    /// Account of the event.
    pub account: Option<String>,
    /// Outcome without its reason, or `failed`.
    pub outcome: String,
    /// Reason of the outcome.
    pub reason: Option<String>,
    /// Reply to the caller.
    pub reply: Option<Value>,
    /// New effects: `{kind, key, payload}`.
    pub effects: Vec<Value>,
    /// Fuel of the call; 0 for native runs and for events that the host decided itself.
    pub fuel: u64,
}

/// State of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountState {
    /// Rows by section and id.
    pub state: Value,
    /// Sums of the ledger in minor units, by currency and ledger account.
    pub money: Value,
}

impl Default for AccountState {
    fn default() -> Self {
        AccountState { state: json!({}), money: json!({}) }
    }
}

impl EventRun {
    /// Reads a run, with the payloads of its effects.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn of(processor: &Processor, report: &Report) -> Result<EventRun, ReplayError> {
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
        Ok(EventRun {
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

impl AccountState {
    /// Reads the state of an account.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn of(processor: &Processor, account: &Account) -> Result<AccountState, ReplayError> {
        let rows = account_rows(processor, account)?;
        let money = rows.sections.get(LEDGER).map(ledger_sums).unwrap_or_default();
        let sections = rows.sections.into_iter().filter(|(_, rows)| !rows.is_empty());
        let state: Map<String, Value> =
            sections.map(|(section, rows)| (section, Value::Object(rows.into_iter().collect()))).collect();
        Ok(AccountState { state: Value::Object(state), money: json!(money) })
    }
}

impl Moment {
    /// Collects the runs of the reports, and the states of the accounts.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn of<'a>(
        processor: &Processor,
        reports: &[Report],
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> Result<Moment, ReplayError> {
        let turns = reports.iter().map(|report| EventRun::of(processor, report)).collect::<Result<_, _>>()?;
        let held = accounts.into_iter().map(|account| Ok((account.to_string(), AccountState::of(processor, account)?)));
        Ok(Moment { turns, held: held.collect::<Result<_, ReplayError>>()? })
    }
}
