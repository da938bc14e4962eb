//! `GET /health`: reports whether each site can read and write its store, and whether its catalog answers.
//!
//! Every request reads. Writes are tested at most once every few seconds, for all requests together, by a commit that
//! changes nothing. A store that does not answer in time counts as failing, so that a hanging store never blocks the
//! answer. Operators also see which providers have an outage.

use crate::access;
use crate::description::{Access, Answer};
use crate::extract::Open;
use crate::front::{AppState, HostedSite};
use crate::query;
use crate::server_route::ServerRoute;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::{Account, Actor, Question};
use host_business::routes::limits::{HEALTH_S_MAX, WRITE_TEST_S};
use host_engine::processor::Questions;
use host_provider_api::Outage;
use host_store::Partition;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{self, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

/// Time for which an answer of the catalog counts: the question costs more than that to the store.
const ASKED_EVERY: Duration = Duration::from_secs(60);
/// The same after a failure.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// When was the catalog of each site asked for its offers, and did it answer?
#[derive(Debug, Default)]
pub(crate) struct CatalogProbes(sync::Mutex<BTreeMap<Partition, (Instant, bool)>>);

impl CatalogProbes {
    /// Returns true if the catalog of a site answers, or answered a short time ago. A site that is busy keeps its last answer.
    async fn answers(&self, hosted: &HostedSite) -> bool {
        let partition = hosted.site.partition();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(partition).copied();
        let counts_for = |answers: bool| if answers { ASKED_EVERY } else { ASKED_AGAIN_AFTER };
        if let Some((at, answers)) = known
            && at.elapsed() < counts_for(answers)
        {
            return answers;
        }
        let question = Question { account: Account::Platform, actor: Actor::system(), at: hosted.site.clock().now() };
        let Ok(answers) = query::ask(hosted, move |answerer| answerer.ask_catalog(&question).is_ok()).await else {
            return known.is_none_or(|(_, answers)| answers);
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(partition.clone(), (Instant::now(), answers));
        answers
    }
}

/// Longest wait for the store.
pub(crate) const PATIENCE: Duration = Duration::from_secs(HEALTH_S_MAX);
/// Time for which the result of a write counts.
const GOOD_FOR: Duration = Duration::from_secs(WRITE_TEST_S);
/// Time for which a failure counts: when the store takes writes again, the server is soon healthy.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// The last test of the writes of each site.
#[derive(Default)]
pub(crate) struct Writes(BTreeMap<Partition, Mutex<Tested>>);

/// A test of a site's writes.
#[derive(Default)]
struct Tested {
    /// When it ended, and whether the store was written.
    result: Option<(Instant, bool)>,
    /// The answer to a test that was not answered in time. No other test begins before it comes.
    late: Option<oneshot::Receiver<bool>>,
}

impl Writes {
    pub(crate) fn of<'s>(sites: impl Iterator<Item = &'s HostedSite>) -> Writes {
        Writes(sites.map(|hosted| (hosted.site.partition().clone(), Mutex::default())).collect())
    }

    /// Returns true if a site's store could be written at its last test, which is not long ago.
    async fn work(&self, hosted: &HostedSite) -> bool {
        let began = Instant::now();
        let Some(tested) = self.0.get(hosted.site.partition()) else { return false };
        // One request tests, and the others wait for its result.
        let mut tested = tested.lock().await;
        if let Some((at, is_good)) = tested.result
            && (at >= began || at.elapsed() < if is_good { GOOD_FOR } else { FAILED_FOR })
        {
            return is_good;
        }
        let is_good = tested.test(hosted).await;
        if tested.result.is_some_and(|(_, was_good)| was_good) && !is_good {
            tracing::error!(business = hosted.site.partition().name(), "the store takes no writes");
        }
        tested.result = Some((Instant::now(), is_good));
        is_good
    }
}

impl Tested {
    async fn test(&mut self, hosted: &HostedSite) -> bool {
        let mut answer = match self.late.take() {
            Some(late) => late,
            None => {
                let (sender, answer) = oneshot::channel();
                let asked = hosted.site.jobs().try_with_host(move |host| {
                    let written = host.processor_mut().store_mut().try_write();
                    if let Err(error) = &written {
                        tracing::warn!(%error, "a test of the store's writes failed");
                    }
                    // The request may have ended.
                    let _ = sender.send(written.is_ok());
                });
                match asked {
                    Ok(()) => answer,
                    // The writer is too busy for a test, or has ended.
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

/// Returns true if a site reads its store.
async fn reads(hosted: &HostedSite) -> bool {
    let partition = hosted.site.partition().clone();
    let read = query::read(hosted, move |store| store.parked_count(&partition));
    matches!(timeout(PATIENCE, read).await, Ok(Ok(_)))
}

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/health", "getHealth", get)
            .about("200, or 503 with the failing part: a store, only its writes, or a catalog that does not answer.")
            .detail("503 while the server stops. Operators also see `outages`.")
            .by(Access::All)
            .answers(Answer::Json),
    ]
}

async fn get(State(app): State<AppState>, Open(asked): Open, headers: HeaderMap) -> Response {
    // A proxy sends the next requests elsewhere.
    if *app.stopping.borrow() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping", "failing": []}));
    }
    let mut failing = Vec::new();
    for hosted in app.sites.iter() {
        let (does_read, does_write) = tokio::join!(reads(hosted), app.writes.work(hosted));
        let name = hosted.site.partition().name();
        match (does_read, does_write) {
            (true, true) if app.catalogs.answers(hosted).await => {}
            (true, true) => failing.push(format!("{name}: catalog")),
            (false, _) => failing.push(format!("{name}: store")),
            (true, false) => failing.push(format!("{name}: writes")),
        }
    }
    let (status, text) = match failing.is_empty() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
    };
    let mut body = json!({"status": text, "failing": failing});
    let caller = timeout(PATIENCE, access::caller(&*app.authenticator, &asked, &Method::GET, &headers)).await;
    if caller.is_ok_and(|caller| caller.is_ok_and(|caller| caller.is_operator())) {
        body["outages"] = asked.site.outages().iter().map(outage).collect();
    }
    answer(status, body)
}

fn answer(status: StatusCode, body: Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn outage(outage: &Outage) -> Value {
    let Outage { provider, lasts_ms, failures, code, message } = outage;
    json!({"provider": provider, "lasts_seconds": lasts_ms / 1_000, "failures": failures, "code": code, "message": message})
}
