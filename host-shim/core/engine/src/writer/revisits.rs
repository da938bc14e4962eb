//! Revisits the accounts in batches after a catalog was loaded, so that a changed limit also reaches the resources of
//! accounts without events, without deciding a large business all at once.
//!
//! When a host starts, it begins with the first account and thereby finishes what a stopped host left, without a mark
//! in the store: an account that is up to date costs one decision and stores nothing.

use crate::catalog::is_load;
use crate::processor::{Processor, Report};
use extension_contract::{Account, Timestamp};
use host_store::Stored;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Maximum number of accounts in one batch.
const BATCH: usize = 20;
/// Interval between batches, in milliseconds: 100 accounts a second.
const EVERY_MS: i64 = 200;

/// A flag, shared by all threads of a host, which shows that a catalog was loaded.
#[derive(Clone, Default)]
pub(super) struct Loaded(Arc<AtomicBool>);

impl Loaded {
    /// Sets the flag, and returns true, if one of the reports is about a loaded catalog.
    pub fn note<'r>(&self, mut reports: impl Iterator<Item = &'r Report>) -> bool {
        let is_loaded = reports.any(is_load);
        if is_loaded {
            self.0.store(true, Ordering::Release);
        }
        is_loaded
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// The accounts that a writer still has to revisit.
pub(super) struct Revisits {
    loaded: Loaded,
    accounts: VecDeque<Account>,
    /// Time of the next batch.
    next_at: Timestamp,
}

impl Revisits {
    /// Starts with all accounts.
    pub fn of(loaded: Loaded) -> Revisits {
        loaded.0.store(true, Ordering::Release);
        Revisits { loaded, accounts: VecDeque::new(), next_at: Timestamp::MIN }
    }

    /// Notes the reports of events.
    pub fn note<'r>(&self, reports: impl Iterator<Item = &'r Report>) {
        self.loaded.note(reports);
    }

    /// Returns the time of the next batch; none if no account is left.
    pub fn next_at(&self) -> Option<Timestamp> {
        (!self.accounts.is_empty()).then_some(self.next_at)
    }

    /// Revisits a batch if it is time. A clock that stands still waits for nobody, so its batches follow each other at
    /// once.
    ///
    /// # Errors
    /// Fails if the store fails; the batch is then revisited again.
    pub fn batch(&mut self, processor: &mut Processor, now: Timestamp, stands: bool) -> Stored<Vec<Report>> {
        if self.loaded.take() {
            match processor.store().scopes(Some(processor.partition())) {
                Ok(scopes) => self.accounts = scopes.into_iter().map(|scope| scope.account).collect(),
                Err(error) => {
                    self.loaded.0.store(true, Ordering::Release);
                    return Err(error);
                }
            }
            self.accounts.retain(|account| *account != Account::Platform);
        }
        if self.accounts.is_empty() || now < self.next_at && !stands {
            return Ok(Vec::new());
        }
        let batch: Vec<Account> = self.accounts.iter().take(BATCH).cloned().collect();
        let mut reports = Vec::new();
        for account in &batch {
            reports.extend(processor.revisit(account, now)?);
        }
        self.accounts.drain(..batch.len());
        self.next_at = now.saturating_add(EVERY_MS);
        Ok(reports)
    }
}
