//! Timers and delayed mails: computes the complete desired set, and applies the difference to the open set.
//!
//! The timers of campaigns, and of continued reconciliations and erasures, are set elsewhere. All other timers and
//! mails are computed here as a whole, so none is forgotten, and they do not depend on the order of events.

use crate::desk::Desk;
use crate::model::account::Account;
use crate::model::effect::timer;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::mail_kinds::Mail;
use crate::model::records::schedule::OpenSchedule;
use crate::model::time::plus_days;
use extension_contract::{Effect, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// A delayed mail.
struct DelayedMail {
    at: Timestamp,
    key: EffectKey,
    mail: Mail,
    values: Value,
}

/// The desired timers and delayed mails.
#[derive(Default)]
pub(crate) struct DesiredSchedule {
    timers: BTreeMap<String, (Timestamp, TimerKey)>,
    mails: BTreeMap<String, DelayedMail>,
    /// Mails whose time has passed and that were never scheduled for it.
    due: BTreeMap<String, DelayedMail>,
}

impl DesiredSchedule {
    /// Adds a timer, unless its time has passed.
    pub fn timer(&mut self, now: Timestamp, key: TimerKey, due: Timestamp) {
        if due > now {
            self.timers.insert(key.to_string(), (due, key));
        }
    }

    /// Returns whether the open schedule equals this schedule, and nothing is due.
    pub fn is_open_in(&self, open: &OpenSchedule) -> bool {
        let timers = self.timers.iter().map(|(key, (due, _))| (key, due));
        let mails = self.mails.iter().map(|(key, mail)| (key, &mail.at));
        self.due.is_empty() && timers.eq(open.timers.iter()) && mails.eq(open.mails.iter())
    }

    /// Adds another schedule.
    pub fn add(&mut self, other: DesiredSchedule) {
        self.timers.extend(other.timers);
        self.mails.extend(other.mails);
        self.due.extend(other.due);
    }

    /// Adds a mail, unless its time has passed.
    pub fn mail(&mut self, now: Timestamp, mail: &Mail, reference: &str, at: Timestamp, values: Value) {
        if at > now {
            let key = mail.key(reference);
            self.mails.insert(key.to_string(), DelayedMail { at, key, mail: *mail, values });
        }
    }
}

/// Schedules a mail about a state that an event under way may still explain, and sends it now if its time has passed. It is sent
/// once.
pub(super) fn mail_unless_explained(
    desk: &mut Desk<'_>,
    desired: &mut DesiredSchedule,
    mail: &Mail,
    reference: &str,
    at: Timestamp,
    values: Value,
) -> Ruled<()> {
    if at > desk.now {
        desired.mail(desk.now, mail, reference, at, values);
        return Ok(());
    }
    let key = mail.key(reference);
    let text = key.to_string();
    let open = desk.account.get_here::<OpenSchedule>(OpenSchedule::ID)?;
    let is_scheduled = open.is_some_and(|open| open.mails.contains_key(&text));
    // A scheduled mail is being sent. Another one may have been called off, so a new one needs a generation of its own.
    if desk.account.record_fact(&text)? && !is_scheduled {
        desired.due.insert(text, DelayedMail { at, key, mail: *mail, values });
    }
    Ok(())
}

/// Days after its time for which a key's generation is remembered. A key names at most a billing period, and can be set
/// again for another time until this period ends.
const REMEMBERED_DAYS: u32 = 400;

/// Cancels open timers and mails that are not desired, and enqueues desired timers and mails that are not open.
pub(super) fn apply(
    account: &mut Account<'_>,
    now: Timestamp,
    open: &mut OpenSchedule,
    desired: DesiredSchedule,
) -> Ruled<()> {
    let timers: BTreeMap<String, Timestamp> =
        desired.timers.iter().map(|(key, (due, _))| (key.clone(), *due)).collect();
    let mails: BTreeMap<String, Timestamp> = desired.mails.iter().map(|(key, mail)| (key.clone(), mail.at)).collect();
    let gone = |before: &BTreeMap<String, Timestamp>, after: &BTreeMap<String, Timestamp>| -> Vec<String> {
        let gone = before.iter().filter(|(key, due)| **due > now && after.get(*key) != Some(due));
        gone.map(|(key, _)| key.clone()).collect()
    };
    let mut cancelled = gone(&open.timers, &timers);
    cancelled.extend(gone(&open.mails, &mails));
    if !cancelled.is_empty() {
        account.call_off(cancelled);
    }
    open.generation.retain(|_, (_, until)| *until > now);
    for (text, (due, key)) in desired.timers {
        if open.timers.get(&text) != Some(&due) {
            let generation = next(&mut open.generation, &text, due);
            account.ask(Effect { generation, ..timer(key, due)? });
        }
    }
    for (text, mail) in desired.mails {
        if open.mails.get(&text) != Some(&mail.at) {
            let generation = next(&mut open.generation, &text, mail.at);
            let effect = mail.mail.effect(&mail.key, &mail.values)?;
            account.ask(Effect { generation, not_before: Some(mail.at), ..effect });
        }
    }
    for (text, mail) in desired.due {
        let generation = next(&mut open.generation, &text, mail.at);
        account.ask(Effect { generation, ..mail.mail.effect(&mail.key, &mail.values)? });
    }
    (open.timers, open.mails) = (timers, mails);
    Ok(())
}

fn next(generations: &mut BTreeMap<String, (u32, Timestamp)>, key: &str, due: Timestamp) -> u32 {
    let until = plus_days(due, REMEMBERED_DAYS);
    let entry = generations.entry(key.to_owned()).or_insert((0, until));
    *entry = (entry.0.saturating_add(1), entry.1.max(until));
    entry.0
}
