//! Compares a played story with the oracle's expectations.

use crate::done::Done;
use crate::judge::Ledgers;
use crate::oracle::{Expected, Verdict};
use crate::play;
use crate::story::Part;
use crate::traders::CheckedStory;
use crate::world::World;
use extension_contract::Account;
use host_provider_api::scripted::ScriptedAnswer;
use std::collections::BTreeSet;

/// Checks one account, and the ledgers of all accounts.
///
/// # Errors
///
/// Fails with the first difference, with expected and actual value.
pub fn judge(world: &mut World, account: &Account, expected: &Expected) -> Result<(), String> {
    let mut done = Done::default();
    for entry in world.scripted().journal() {
        if let ScriptedAnswer::Ok(_) = entry.answer {
            done.note(&entry.call);
        }
    }
    let now = world.clock();
    let ledgers = Ledgers::of(world.store());
    let law = ledgers.and_then(|ledgers| {
        ledgers.check_sums()?;
        ledgers.check_earned_shares(&host_simulate::sales::shares_of(&expected.sales))?;
        crate::judge::judge(world.processor_mut(), &done, account, now, expected)
    });
    law.map_err(|difference| difference.to_string())
}

/// Checks the end of a story.
///
/// # Errors
///
/// Fails with the first difference.
pub fn judge_end(world: &mut World, checked: &CheckedStory) -> Result<(), String> {
    let account = checked.story.account.parse().expect("an account");
    let (_, end) = checked.checks.last_key_value().expect("expectations at the end");
    judge(world, &account, end)
}

/// Checks that commands have their expected results, that no event failed, and that no Stripe event was rejected.
fn verdicts(world: &World, checked: &CheckedStory) -> Result<(), String> {
    for report in &world.reports {
        let (name, reason) = (report.result.name(), report.result.reason().unwrap_or_default());
        if name == "failed" {
            return Err(format!("{} {} failed: {reason}", report.kind, report.event_id));
        }
        if report.source == "stripe" && name == "rejected" {
            return Err(format!("{} {} is rejected: {reason}", report.kind, report.event_id));
        }
        let Some(verdict) = checked.verdicts.get(&report.event_id).filter(|_| !report.later && name != "duplicate")
        else {
            continue;
        };
        let expected = if *verdict == Verdict::Applied { "applied" } else { "rejected" };
        if name != expected {
            return Err(format!("{} {} is {name} ({reason}), expected {expected}", report.kind, report.event_id));
        }
    }
    Ok(())
}

/// Plays a story in these parts, and checks it after each part. If `is_prompt` is false, the provider does not carry
/// out effects at once, so the running instances are not checked.
///
/// # Errors
///
/// Fails with the first difference, with the part and its time.
pub fn holds(checked: &CheckedStory, parts: &[Part], world: &mut World, is_prompt: bool) -> Result<(), String> {
    let account: Account = checked.story.account.parse().expect("an account");
    for (index, part) in parts.iter().enumerate() {
        play::part(world, part).expect("the store has no fault");
        verdicts(world, checked)?;
        let Some(expected) = checked.checks.get(&index) else { continue };
        let at = host_engine::time::text(part.clock);
        let expected = match is_prompt {
            true => expected.clone(),
            false => Expected { running: BTreeSet::new(), ..expected.clone() },
        };
        judge(world, &account, &expected).map_err(|problem| format!("part {index}, {at}: {problem}"))?;
    }
    Ok(())
}
