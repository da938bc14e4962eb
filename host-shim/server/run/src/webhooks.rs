//! Finds what has changed in the accounts of a business and sends it to its webhook endpoints. A commit, on this host or another, marks
//! its account, and the thread in this file compares the current state of a marked account with the last report. After a start it
//! compares the revisions of all accounts, so that a commit just before a kill is reported too. Of several hosts, one compares and
//! sends. If it freezes or loses its connection to the database, another one continues as after a start.

use crate::background::{Stop, Work};
use extension_contract::{Account, Actor, ActorKind, Event, Payload, Question, Timestamp};
use host_api::Makers;
use host_api::site::Observer;
use host_api::site::questions::{NotAsked, Questioner};
use host_api::webhooks::{Endpoint, Notices, Reason, Seen, Sender, WAITING_MAX, Webhooks, WebhooksError};
use host_engine::clock::ClockSource;
use host_engine::processor::{Answerer, AskError, Questions, Report};
use host_engine::view::parsed;
use host_engine::writer::Jobs;
use host_identity::random;
use host_intake::Decoded;
use host_store::{Partition, StoreError};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Interval between two looks at the marked accounts.
const PAUSE: Duration = Duration::from_millis(50);
/// Interval between two looks if no endpoint wants to be notified, or after a failure.
const IDLE: Duration = Duration::from_millis(500);
/// Interval between two deletions of old messages, in milliseconds.
const CLEAN_MS: i64 = 3_600_000;
/// Interval between checks whether makers may still have their endpoints and how much is waiting, in milliseconds.
const CHECK_MS: i64 = 60_000;
/// Time until an account that could not be read is tried again, in milliseconds.
const AGAIN_MS: i64 = 60_000;
/// Maximum number of entries of a list that are reported.
const ROWS_MAX: usize = 10_000;

/// The reason why changes are not reported now. They are reported later.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Webhooks(#[from] WebhooksError),
    #[error(transparent)]
    NotAsked(#[from] NotAsked),
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    #[error("an account cannot be read")]
    Account(#[from] AskError),
    #[error("no random bytes")]
    NoRandom,
    #[error("another host tells")]
    Elsewhere,
}

/// The accounts that have changed since the last look.
#[derive(Clone, Default)]
pub(crate) struct Marked(Arc<Mutex<BTreeSet<Account>>>);

impl Marked {
    fn add(&self, accounts: impl IntoIterator<Item = Account>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(accounts);
    }

    fn take(&self) -> BTreeSet<Account> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Marked {
    fn committed(&self, reports: &[Report]) {
        let accounts = reports.iter().filter_map(|report| report.account.clone());
        self.add(accounts.filter(|account| *account != Account::Platform));
    }

    fn elsewhere(&self, accounts: &[Account]) {
        self.add(accounts.iter().filter(|account| **account != Account::Platform).cloned());
    }
}

/// Notifies the endpoints of a business of changes in its accounts.
pub(crate) struct WebhookWork {
    pub(crate) partition: Partition,
    pub(crate) questioner: Questioner,
    pub(crate) webhooks: Arc<Webhooks>,
    pub(crate) sender: Sender,
    pub(crate) marked: Marked,
    pub(crate) clock: ClockSource,
    /// True once the accounts that changed while no server was running have been marked.
    pub(crate) is_caught_up: bool,
    pub(crate) cleaned_at: Timestamp,
    /// Accounts that could not be read, with the time of the next attempt, and whether changes are reported.
    pub(crate) put_off: BTreeMap<Account, (Timestamp, bool)>,
    pub(crate) checked_at: Timestamp,
}

impl Work for WebhookWork {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    /// Reports what has changed, and returns the time until the next look.
    fn work(&mut self, stop: &Stop) -> Duration {
        match self.tell(stop) {
            Ok(true) => PAUSE,
            Ok(false) | Err(NotTold::Elsewhere) => IDLE,
            Err(error) => {
                tracing::error!(%error, business = self.partition.name(), "webhooks wait");
                IDLE
            }
        }
    }
}

impl WebhookWork {
    /// Returns false if no endpoint wants to be notified, or another host does the work.
    fn tell(&mut self, stop: &Stop) -> Result<bool, NotTold> {
        if !self.webhooks.leads()? {
            self.is_caught_up = false;
            drop(self.marked.take());
            return Ok(false);
        }
        if !self.webhooks.has_endpoints()? {
            if self.webhooks.has_baseline()? {
                self.webhooks.forget_baseline()?;
            }
            drop(self.marked.take());
            return Ok(false);
        }
        if !self.webhooks.has_baseline()? {
            for account in self.accounts()? {
                self.look_or_put_off(account, false)?;
            }
            self.webhooks.set_baseline()?;
            self.is_caught_up = true;
        }
        if !self.is_caught_up {
            self.marked.add(self.changed_meanwhile()?);
            self.is_caught_up = true;
        }
        let now = self.clock.now();
        for (account, is_told) in self.take_put_off(now) {
            self.look_or_put_off(account, is_told)?;
        }
        let mut marked = self.marked.take();
        while let Some(account) = marked.pop_first() {
            let looked = if stop.is_asked() { Ok(()) } else { self.look_or_put_off(account.clone(), true) };
            if looked.is_err() || stop.is_asked() {
                self.marked.add(marked.into_iter().chain([account]));
                return looked.map(|()| true);
            }
        }
        if now.saturating_sub(self.checked_at) >= CHECK_MS {
            self.sender.check(WAITING_MAX)?;
            self.checked_at = now;
        }
        self.sender.begin()?;
        if now.saturating_sub(self.cleaned_at) >= CLEAN_MS && self.webhooks.clean(now)? == 0 {
            self.cleaned_at = now;
        }
        Ok(true)
    }

    /// Asks a thread of the site, and waits for its answer.
    fn ask<T: Send + 'static>(&self, body: impl FnOnce(&mut Answerer) -> T + Send + 'static) -> Result<T, NotTold> {
        let (sender, answer) = sync_channel(1);
        self.questioner.try_ask(move |answerer| {
            // The thread that asked may have ended.
            let _ = sender.send(body(answerer));
        })?;
        Ok(answer.recv().map_err(|_| NotAsked::Ended)?)
    }

    fn accounts(&self) -> Result<Vec<Account>, NotTold> {
        let partition = self.partition.clone();
        let scopes = self.ask(move |answerer| answerer.read(|store| store.scopes(Some(&partition))))??;
        Ok(scopes.into_iter().map(|scope| scope.account).filter(|account| *account != Account::Platform).collect())
    }

    /// Returns the accounts whose revision differs from that of their last report.
    fn changed_meanwhile(&self) -> Result<Vec<Account>, NotTold> {
        let (partition, told) = (self.partition.clone(), self.webhooks.told_revisions()?);
        let accounts = self.accounts()?;
        let changed = self.ask(move |answerer| {
            answerer.read(|store| {
                let mut changed = Vec::new();
                for account in accounts {
                    let revision = store.account(&partition.scope(account.clone()))?.revision;
                    if told.get(&account.to_string()) != Some(&revision) {
                        changed.push(account);
                    }
                }
                Ok(changed)
            })
        });
        Ok(changed??)
    }

    /// Looks at an account. One that cannot be read is tried again later, and holds up no other.
    fn look_or_put_off(&mut self, account: Account, is_told: bool) -> Result<(), NotTold> {
        if !self.webhooks.leads()? {
            return Err(NotTold::Elsewhere);
        }
        match self.look(&account, is_told) {
            Err(NotTold::Account(error)) => {
                tracing::error!(%error, %account, business = self.partition.name(), "an account cannot be read for webhooks");
                self.put_off.insert(account, (self.clock.now().saturating_add(AGAIN_MS), is_told));
                Ok(())
            }
            looked => looked,
        }
    }

    /// Removes and returns the accounts that are to be tried again.
    fn take_put_off(&mut self, now: Timestamp) -> Vec<(Account, bool)> {
        let due = self.put_off.extract_if(.., |_, (at, _)| *at <= now);
        due.map(|(account, (_, is_told))| (account, is_told)).collect()
    }

    /// Compares the current state of an account with the last report.
    fn look(&self, account: &Account, is_told: bool) -> Result<(), NotTold> {
        let (scope, question) = (
            self.partition.scope(account.clone()),
            Question { account: account.clone(), actor: Actor::system(), at: self.clock.now() },
        );
        // The revision is read first, so that anything committed in between is looked at again.
        let seen = self.ask(move |answerer| -> Result<Seen, NotTold> {
            let (revision, first) =
                answerer.read(|store| Ok((store.account(&scope)?.revision, store.inbox_of(&scope, 0, 1)?)))?;
            let is_erased = first.first().is_some_and(|event| event.erased);
            let mut seen = Seen { revision, is_erased, ..Seen::default() };
            for list in Seen::lists() {
                let (rows, _) = answerer.ask_whole_list(&question, list, None, ROWS_MAX)?;
                seen.lists.insert(list, rows.into_iter().map(|row| (row.id, parsed(&row.value))).collect());
            }
            seen.entitlements = answerer.ask_entitlements(&question)?.iter().map(host_api::entitlement).collect();
            Ok(seen)
        })??;
        let mut has_random = true;
        let id = || {
            random("msg_").unwrap_or_else(|_| {
                has_random = false;
                String::new()
            })
        };
        self.webhooks.take(account, &seen, is_told, self.clock.now(), id)?;
        if has_random { Ok(()) } else { Err(NotTold::NoRandom) }
    }
}

/// Knows the makers of endpoints, and mails the owner of a disabled one.
pub(crate) struct Mailing {
    pub(crate) partition: Partition,
    pub(crate) jobs: Jobs,
    pub(crate) clock: ClockSource,
    pub(crate) makers: Makers,
}

impl Notices for Mailing {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn stands(&self, endpoint: &Endpoint) -> Result<bool, WebhooksError> {
        self.makers.stands(endpoint).map_err(|error| WebhooksError::Maker(error.to_string()))
    }

    fn disabled(&self, endpoint: &Endpoint, reason: Reason) {
        let (business, reason) = (self.partition.name(), reason.name());
        tracing::warn!(endpoint = endpoint.id, business, reason, "a webhook endpoint is disabled");
        let to = if endpoint.account.is_some() { "account" } else { "admin" };
        let payload = json!({
            "template": "webhook_disabled", "to": to,
            "values": {
                "endpoint": endpoint.id, "url": endpoint.url, "description": endpoint.description, "reason": reason,
            },
        });
        let Ok(id) = random("cmd_") else { return };
        let event = Event {
            id,
            source: "api".to_owned(),
            kind: "account.notify".to_owned(),
            business: self.partition.business.clone(),
            account: Some(endpoint.account.clone().unwrap_or(Account::Platform)),
            livemode: Some(self.partition.livemode),
            received_at: self.clock.now(),
            attempt: 1,
            actor: Actor { kind: ActorKind::Service, subject: "webhooks".to_owned(), roles: Vec::new() },
            reply_to: None,
            payment: None,
            payload: Payload::Command(payload.to_string()),
        };
        let accepted = self.jobs.accept(Decoded::from(event), Vec::new());
        if let Err(error) = accepted.map(drop) {
            tracing::error!(%error, endpoint = endpoint.id, "the owner of a disabled endpoint was not told");
        }
    }
}
