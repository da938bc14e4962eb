//! Writes the log of one account as a scenario.

use crate::compare::Story;
use crate::compare::causes::Key;
use extension_contract::{Account, EffectFailureClass, FACT_SOURCE, Payload, Timestamp, Usage};
use host_business::folder::BusinessFolder;
use host_provider_api::scripted::ScriptedAnswer;
use host_replay::state::parsed;
use host_scenario::error::ReplayError;
use host_scenario::model::{
    Action, Answers, CommandStep, Expectations, Given, Measurement, RawStep, Scenario, Step, UsageStep,
};
use host_store::{InboxRow, Partition, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Number of log rows per page.
const PAGE: usize = 500;

/// A story of the events of an account up to inbox number `until` of the log, with the answers of the providers. None
/// if a scenario can't express one of the events, or the story has no steps.
pub(crate) fn of_account(
    recording: &dyn Read,
    partition: &Partition,
    account: &Account,
    until: u64,
    business: &Arc<BusinessFolder>,
    cause: Key,
) -> Result<Option<Story>, ReplayError> {
    let (mut steps, mut answers): (Vec<Step>, Vec<Answers>) = (Vec::new(), Vec::new());
    let (mut after, mut start, mut clock) = (0, None, 0);
    'log: loop {
        let page = recording.inbox_after(Some(partition), after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in page {
            if row.seq > until {
                break 'log;
            }
            if row.event.account.as_ref() != Some(account) || row.erased {
                continue;
            }
            let now = row.event.received_at;
            if start.is_none() {
                (start, clock) = (Some(now), now);
            }
            if now > clock {
                steps.push(Step::new(Action::Until(now)));
                clock = now;
            }
            match &row.event.payload {
                Payload::EffectResult(report) => {
                    let answer = match &report.answer {
                        Ok(outputs) => ScriptedAnswer::Ok(parsed(outputs)),
                        Err(failure) if failure.class == EffectFailureClass::TimedOut => ScriptedAnswer::Never,
                        Err(failure) => ScriptedAnswer::failed(&failure.code, failure.message.clone()),
                    };
                    match answers.iter_mut().find(|known| known.pattern == report.key) {
                        Some(known) => known.list.push(answer),
                        None => answers.push(Answers { line: 0, pattern: report.key.clone(), list: vec![answer] }),
                    }
                }
                Payload::Timer(_) | Payload::Message(_) => {}
                _ => match action(&row, account) {
                    Some(action) => steps.push(Step::new(action)),
                    None => return Ok(None),
                },
            }
        }
    }
    let Some(start) = start.filter(|_| !steps.is_empty()) else { return Ok(None) };
    let given = given(start, partition.livemode, account, answers);
    let scenario = Scenario {
        file: PathBuf::from("log"),
        name: "a difference found in a log".to_owned(),
        covers: Vec::new(),
        known_to_fail: None,
        versions: None,
        budget: None,
        given,
        expect: Expectations::default(),
        steps,
    };
    let step = scenario.steps.len() - 1;
    Ok(Some(Story { scenario, version: None, business: business.clone(), step, cause }))
}

fn given(clock: Timestamp, livemode: bool, account: &Account, answers: Vec<Answers>) -> Given {
    Given {
        business: None,
        clock,
        livemode,
        config: Vec::new(),
        account: Some(account.clone()),
        by: None,
        accounts: Vec::new(),
        claims: Vec::new(),
        answers,
    }
}

/// An external event as a step; None if its bytes are not stored.
fn action(row: &InboxRow, account: &Account) -> Option<Action> {
    let event = &row.event;
    let (id, by, of) = (event.id.clone(), event.actor.clone(), Some(account.clone()));
    Some(match &event.payload {
        Payload::Payment(body) => Action::Raw(RawStep { id, bytes: body.clone() }),
        Payload::Command(payload) => {
            let step = CommandStep { kind: event.kind.clone(), id, account: of, by, payload: parsed(payload) };
            if event.source == FACT_SOURCE { Action::Fact(step) } else { Action::Command(step) }
        }
        Payload::Usage(batch) => {
            let one = |Usage { id, meter, quantity, at, attributes }: &Usage| Measurement {
                id: id.clone(),
                meter: meter.clone(),
                quantity: *quantity,
                at: Some(*at),
                attributes: attributes.clone(),
            };
            Action::Usage(UsageStep { id, account: of, by, batch: batch.iter().map(one).collect() })
        }
        _ if !row.raw.is_empty() => Action::Raw(RawStep { id, bytes: row.raw.clone() }),
        _ => return None,
    })
}
