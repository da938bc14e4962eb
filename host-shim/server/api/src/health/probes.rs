//! Probes a site: whether its store can be read and written, and whether its catalog responds.

use crate::ask::{ask, read};
use crate::site::Site;
use extension_contract::{Account, Actor, Question};
use host_business::routes::limits::{HEALTH_S_MAX, WRITE_TEST_S};
use host_engine::processor::Questions;
use host_store::Partition;
use std::collections::BTreeMap;
use std::sync::{self, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

/// How long an answer of the catalog counts: asking costs the store more than the other probes.
const ASKED_EVERY: Duration = Duration::from_secs(60);
/// The same, after a failure.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Longest wait for the store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(HEALTH_S_MAX);
/// How long the result of a write counts.
const GOOD_FOR: Duration = Duration::from_secs(WRITE_TEST_S);
/// How long a failure counts: when the store accepts writes again, the server is soon healthy.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// When the catalog of each site was last asked for its offers, and whether it responded.
#[derive(Debug, Default)]
pub(crate) struct CatalogProbes(sync::Mutex<BTreeMap<Partition, (Instant, bool)>>);

impl CatalogProbes {
    /// Returns true if the catalog of a site responds, or did so a short time ago. A site that is busy keeps its last result.
    pub(super) async fn answers(&self, site: &Site) -> bool {
        let partition = site.partition();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(partition).copied();
        let counts_for = |answers: bool| if answers { ASKED_EVERY } else { ASKED_AGAIN_AFTER };
        if let Some((at, answers)) = known
            && at.elapsed() < counts_for(answers)
        {
            return answers;
        }
        let question = Question { account: Account::Platform, actor: Actor::system(), at: site.clock().now() };
        let Ok(answers) = ask(site, move |answerer| answerer.ask_catalog(&question).is_ok()).await else {
            return known.is_none_or(|(_, answers)| answers);
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(partition.clone(), (Instant::now(), answers));
        answers
    }
}

/// The last write test of each site.
#[derive(Default)]
pub(crate) struct Writes(BTreeMap<Partition, Mutex<Tested>>);

/// A test of a site's writes.
#[derive(Default)]
struct Tested {
    /// When it ended, and whether the store could be written.
    result: Option<(Instant, bool)>,
    /// The answer that a test did not get in time. No other test begins before it arrives.
    late: Option<oneshot::Receiver<bool>>,
}

impl Writes {
    pub(crate) fn of<'s>(sites: impl Iterator<Item = &'s Site>) -> Writes {
        Writes(sites.map(|site| (site.partition().clone(), Mutex::default())).collect())
    }

    /// Returns true if a site's store could be written in its last test, which was recent.
    pub(super) async fn work(&self, site: &Site) -> bool {
        let began = Instant::now();
        let Some(tested) = self.0.get(site.partition()) else { return false };
        // One request runs the test, and the others wait for its result.
        let mut tested = tested.lock().await;
        if let Some((at, is_good)) = tested.result
            && (at >= began || at.elapsed() < if is_good { GOOD_FOR } else { FAILED_FOR })
        {
            return is_good;
        }
        let is_good = tested.test(site).await;
        if tested.result.is_some_and(|(_, was_good)| was_good) && !is_good {
            tracing::error!(business = site.partition().name(), "the store takes no writes");
        }
        tested.result = Some((Instant::now(), is_good));
        is_good
    }
}

impl Tested {
    async fn test(&mut self, site: &Site) -> bool {
        let mut answer = match self.late.take() {
            Some(late) => late,
            None => {
                let (sender, answer) = oneshot::channel();
                let asked = site.jobs().try_with_host(move |host| {
                    let written = host.processor_mut().store_mut().try_write();
                    if let Err(error) = &written {
                        tracing::warn!(%error, "a test of the store's writes failed");
                    }
                    // The request may have ended.
                    let _ = sender.send(written.is_ok());
                });
                match asked {
                    Ok(()) => answer,
                    // The writer is too busy for a test, or has stopped.
                    Err(_) => return false,
                }
            }
        };
        match timeout(PATIENCE, &mut answer).await {
            Ok(answered) => answered == Ok(true),
            Err(_) => {
                self.late = Some(answer);
                false
            }
        }
    }
}

/// Returns true if a site's store can be read.
pub(super) async fn reads(site: &Site) -> bool {
    let partition = site.partition().clone();
    let read = read(site, move |store| store.parked_count(&partition));
    matches!(timeout(PATIENCE, read).await, Ok(Ok(_)))
}
