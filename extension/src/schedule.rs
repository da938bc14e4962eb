//! Timers and mails of later: the whole set that should be open is computed anew, and the difference is carried out.
//!
//! Nothing else sets or cancels them, so they can't be forgotten, and they don't depend on how the account got here.

use crate::context::{Context, Loaded, Step, encode, request};
use crate::notice;
use crate::time::plus_days;
use products_contract::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What should be open.
#[derive(Default)]
pub(crate) struct Wanted {
    timers: BTreeMap<String, Timestamp>,
    mails: BTreeMap<String, (Timestamp, &'static str, notice::To, Value)>,
}

impl Wanted {
    /// A timer; times that have passed are not wanted any more.
    pub fn timer(&mut self, now: Timestamp, key: String, due: Timestamp) {
        if due > now {
            self.timers.insert(key, due);
        }
    }

    /// What else should be open.
    pub fn add(&mut self, other: Wanted) {
        self.timers.extend(other.timers);
        self.mails.extend(other.mails);
    }

    /// A mail at a later time.
    pub fn mail(
        &mut self,
        now: Timestamp,
        template: &'static str,
        to: notice::To,
        reference: &str,
        at: Timestamp,
        values: Value,
    ) {
        if at > now {
            self.mails.insert(notice::key(template, to, reference), (at, template, to, values));
        }
    }
}

/// Days after its time for which a key's generation is remembered: a key names a billing period at the longest, and
/// may be set again, at another time, until that is over.
const REMEMBERED_DAYS: u32 = 400;

/// What is open, by key. A generation outlives what it belongs to, so that the same key can be set again.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Open {
    timers: BTreeMap<String, Timestamp>,
    mails: BTreeMap<String, Timestamp>,
    generation: BTreeMap<String, (u32, Timestamp)>,
}

/// Bring what is open to what is wanted.
pub(crate) fn bring(context: &mut Context<'_, '_>, wanted: Wanted) -> Step<()> {
    let mut open: Loaded<Open> = context.record("schedule", "account")?;
    let now = context.now;
    let mut mails = BTreeMap::new();
    for (key, mail) in &wanted.mails {
        mails.insert(key.clone(), mail.0);
    }
    if open.version != 0 && open.value.timers == wanted.timers && open.value.mails == mails {
        return Ok(());
    }
    let gone = |before: &BTreeMap<String, Timestamp>, after: &BTreeMap<String, Timestamp>| -> Vec<String> {
        let gone = before.iter().filter(|(key, due)| **due > now && after.get(*key) != Some(due));
        gone.map(|(key, _)| key.clone()).collect()
    };
    let mut cancelled = gone(&open.value.timers, &wanted.timers);
    cancelled.extend(gone(&open.value.mails, &mails));
    for part in cancelled.chunks(BULK_MAX) {
        context.host.effects_cancel(part)?;
    }
    open.value.generation.retain(|_, (_, until)| *until > now);
    let mut effects = Vec::new();
    for (key, due) in wanted.timers.iter().filter(|(key, due)| open.value.timers.get(*key) != Some(due)) {
        let generation = next(&mut open.value.generation, key, *due);
        effects.push(effect("timer.at", key, generation, "{}".to_owned(), *due));
    }
    for (key, (at, template, to, values)) in &wanted.mails {
        if open.value.mails.get(key) != Some(at) {
            let generation = next(&mut open.value.generation, key, *at);
            let payload = encode(&serde_json::json!({"template": template, "to": to.name(), "values": values}))?;
            effects.push(effect("mail.send", key, generation, payload, *at));
        }
    }
    for part in effects.chunks(BULK_MAX) {
        context.host.effects_enqueue(part);
    }
    open.value.timers = wanted.timers;
    open.value.mails = mails;
    context.save_record("schedule", "account", &open)
}

fn next(generations: &mut BTreeMap<String, (u32, Timestamp)>, key: &str, due: Timestamp) -> u32 {
    let until = plus_days(due, REMEMBERED_DAYS);
    let entry = generations.entry(key.to_owned()).or_insert((0, until));
    *entry = (entry.0.saturating_add(1), entry.1.max(until));
    entry.0
}

fn effect(kind: &str, key: &str, generation: u32, payload: String, at: Timestamp) -> Effect {
    Effect { generation, not_before: Some(at), ..request(kind, key.to_owned(), payload) }
}
