//! Timers and mails of later: the whole set that should be open is computed anew, and the difference is carried out.
//!
//! Nothing else sets or cancels them, so they can't be forgotten, and they don't depend on how the account got here.

use crate::model::account::Account;
use crate::model::effect::timer;
use crate::model::gather::gather;
use crate::model::halt::Ruled;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::notice::{self, To};
use crate::model::records::schedule::OpenSchedule;
use crate::model::time::plus_days;
use extension_contract::{Effect, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// A mail of later.
struct LaterMail {
    at: Timestamp,
    key: EffectKey,
    template: &'static str,
    to: To,
    values: Value,
}

/// What should be open.
#[derive(Default)]
pub(crate) struct DesiredSchedule {
    timers: BTreeMap<String, (Timestamp, TimerKey)>,
    mails: BTreeMap<String, LaterMail>,
}

impl DesiredSchedule {
    /// A timer; times that have passed are not wanted any more.
    pub fn timer(&mut self, now: Timestamp, key: TimerKey, due: Timestamp) {
        if due > now {
            self.timers.insert(key.to_string(), (due, key));
        }
    }

    /// Whether this is what is open.
    pub fn is_open_in(&self, open: &OpenSchedule) -> bool {
        let timers = self.timers.iter().map(|(key, (due, _))| (key, due));
        let mails = self.mails.iter().map(|(key, mail)| (key, &mail.at));
        timers.eq(open.timers.iter()) && mails.eq(open.mails.iter())
    }

    /// What else should be open.
    pub fn add(&mut self, other: DesiredSchedule) {
        self.timers.extend(other.timers);
        self.mails.extend(other.mails);
    }

    /// A mail at a later time.
    pub fn mail(
        &mut self,
        now: Timestamp,
        template: &'static str,
        to: To,
        reference: &str,
        at: Timestamp,
        values: Value,
    ) {
        if at > now {
            let key = notice::key(template, to, reference);
            self.mails.insert(key.to_string(), LaterMail { at, key, template, to, values });
        }
    }
}

/// Days after its time for which a key's generation is remembered: a key names a billing period at the longest, and
/// may be set again, at another time, until that is over.
const REMEMBERED_DAYS: u32 = 400;

/// Bring what is open to what is desired.
pub(super) fn apply(
    account: &mut Account<'_>,
    now: Timestamp,
    open: &mut OpenSchedule,
    desired: DesiredSchedule,
) -> Ruled<()> {
    let timers: BTreeMap<String, Timestamp> =
        desired.timers.iter().map(|(key, (due, _))| (key.clone(), *due)).collect();
    let mails: BTreeMap<String, Timestamp> = gather(desired.mails.iter().map(|(key, mail)| (key.clone(), mail.at)));
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
            let effect = notice::mail(&mail.key, mail.template, mail.to, &mail.values)?;
            let generation = next(&mut open.generation, &text, mail.at);
            account.ask(Effect { generation, not_before: Some(mail.at), ..effect });
        }
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
