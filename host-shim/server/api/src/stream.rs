//! `GET /api/events`: the events of the accounts that a key can access, as server-sent events. Each is sent once, in the order of
//! acceptance, soon after its commit and with its state at that time. A commit wakes the streams of its accounts and of callers with
//! access to every account. Operators' pages also show changes that are not new events, such as a failed attempt; their stream contains
//! an empty message for each.

use crate::access::{self};
use crate::ask::{asked, read};
use crate::authenticator::Authenticator;
use crate::description::Answer;
use crate::extract::{KnownCaller, QueryOf};
use crate::operator::events::summary;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use crate::streams::OpenStream;
use crate::turn;
use crate::wakes::Wake;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::sse::{Event, KeepAlive, Sse};
use extension_contract::{Page, Problem as QuestionProblem, Question};
use futures_util::stream::{Stream, unfold};
use host_engine::processor::{AskError, Questions};
use host_identity::access::{Caller, Reach};
use host_store::{InboxRow, Partition, Read, Stored};
use serde::Deserialize;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The header with the number of the last event that the client has, which is the `id` of a message. The client gets everything after it.
/// Without the header and without `after`, the stream starts now.
const LAST_EVENT_ID: &str = "last-event-id";
/// Time until a stream that could not read tries again.
const AGAIN: Duration = Duration::from_millis(500);
/// Rows per query.
const PAGE: usize = 200;

/// The query of a stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    /// True for events that are not named after their kinds: a browser receives named events only under these names.
    #[serde(default)]
    unnamed: bool,
    /// Number of the last event that the client knows, if it cannot send the header.
    after: Option<u64>,
}

/// The state of one stream.
///
/// A stream ends with the right to it. The caller is authenticated again before new events are sent, and at regular intervals. If the
/// session, key, token or membership of the start no longer exists, or the rights have changed, the client has to reconnect, as browsers
/// do automatically.
struct Reading {
    hosted: Arc<HostedSite>,
    caller: Caller,
    /// Authenticates the caller again, with the headers of the request.
    authenticator: Arc<dyn Authenticator>,
    headers: HeaderMap,
    /// When the caller must be authenticated again at the latest, and the interval between two checks.
    check_at: Instant,
    recheck: Duration,
    cursor: Cursor,
    waiting: VecDeque<InboxRow>,
    /// The number that the client gave or received, if the store does not have the event; still to be reported.
    lost: Option<u64>,
    /// The accounts whose lists the caller may read.
    reach: Reach,
    /// Changes with each commit that may bring something.
    commits: watch::Receiver<()>,
    /// True once the server is stopping.
    stopping: watch::Receiver<bool>,
    is_unnamed: bool,
    /// Changes with each failed attempt of an effect.
    tries: watch::Receiver<u64>,
    /// True if something was committed, or an attempt failed, since the last message.
    is_woken: bool,
    _open: OpenStream,
    _wake: Wake,
}

/// The last event that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cursor {
    number: u64,
    /// Id of the event; none if no event has this number.
    id: Option<String>,
}

/// What follows a cursor.
#[derive(Debug)]
enum Next {
    /// These events.
    Events(Vec<InboxRow>),
    /// The store does not have the event of the cursor, and ends before it: it is an older copy, restored from a backup, or another
    /// database has taken over. The message `stream.reset` reports this, and the stream continues from there.
    Older(Cursor),
}

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/events", "", get)
            .about("The events of the accounts that the key reaches, as server-sent events.")
            .detail(
                "Resumed by `Last-Event-ID`, or at first by `after`; `unnamed=true` leaves out the names, for a browser; `stream.reset`: \
                 the store is an older one, which lacks the last event.",
            )
            .query(&["after: integer?", "unnamed: boolean?"])
            .answers(Answer::Text("text/event-stream")),
    ]
}

async fn get(
    State(app): State<AppState>,
    KnownCaller { hosted, caller }: KnownCaller,
    QueryOf(wanted): QueryOf<StreamQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let open = app.streams.begin(&caller)?;
    // Subscribed before the first read, so that no commit in between is missed.
    let (wake, commits) = app.changes.wakes.add(hosted.site.partition(), &caller.reach);
    let stopping = app.stopping.subscribe();
    turn::goes_on();
    let known = match headers.get(LAST_EVENT_ID) {
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            Some(number.ok_or_else(|| Problem::bad("last-event-id", "expected the number of an event"))?)
        }
        None => wanted.after,
    };
    let cursor = read(&hosted.site, move |store| cursor_at(store, known)).await?;
    let lost = known.filter(|known| *known > cursor.number);
    let reach = readable(&hosted, &caller).await?;
    let reading = Reading {
        hosted,
        caller,
        authenticator: app.authenticator.clone(),
        headers,
        check_at: Instant::now() + app.limits.recheck,
        recheck: app.limits.recheck,
        cursor,
        waiting: VecDeque::new(),
        lost,
        reach,
        commits,
        stopping,
        is_unnamed: wanted.unnamed,
        tries: app.changes.tries.watch(),
        is_woken: false,
        _open: open,
        _wake: wake,
    };
    let events = unfold(reading, |mut reading| async move { Some((Ok(reading.next().await?), reading)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Returns the accounts of a caller, without those whose lists the caller's role may not read according to the `may` clause of the
/// business.
async fn readable(hosted: &HostedSite, caller: &Caller) -> Result<Reach, Problem> {
    let Reach::Accounts(accounts) = &caller.reach else { return Ok(Reach::All) };
    let (accounts, by_role, at) = (accounts.clone(), caller.in_accounts.clone(), hosted.site.clock().now());
    if by_role.is_empty() {
        return Ok(Reach::Accounts(accounts));
    }
    let readable = asked(&hosted.site, move |answerer| -> Result<_, AskError> {
        let mut readable = Vec::new();
        for account in accounts {
            if let Some(actor) = by_role.get(&account) {
                let question = Question { account: account.clone(), actor: actor.clone(), at };
                match answerer.ask_list(&question, "instances", None, &Page { after: None, limit: 1 }) {
                    Ok(_) => {}
                    Err(AskError::Problem(QuestionProblem::Refused(_))) => continue,
                    Err(error) => return Err(error),
                }
            }
            readable.push(account);
        }
        Ok(readable)
    });
    readable.await.map(Reach::Accounts)
}

/// Returns the cursor at an event, or at the newest one if none is given or the store does not have its number yet.
fn cursor_at(store: &dyn Read, given: Option<u64>) -> Stored<Cursor> {
    let newest = store.inbox_newest()?;
    let number = given.unwrap_or(newest).min(newest);
    Ok(Cursor { number, id: store.inbox(number)?.map(|row| row.event.id) })
}

/// Returns the next events that a caller may access, without reading those of other accounts.
fn page(store: &dyn Read, partition: &Partition, reach: &Reach, cursor: &Cursor) -> Stored<Next> {
    let at = cursor_at(store, Some(cursor.number))?;
    if at.number < cursor.number || (cursor.id.is_some() && at.id != cursor.id) {
        return Ok(Next::Older(cursor_at(store, None)?));
    }
    let after = cursor.number;
    let Reach::Accounts(accounts) = reach else {
        return Ok(Next::Events(store.inbox_after(Some(partition), after, PAGE)?));
    };
    let mut rows = Vec::new();
    for account in accounts {
        rows.extend(store.inbox_of(&partition.scope(account.clone()), after, PAGE)?);
    }
    rows.sort_by_key(|row| row.seq);
    rows.truncate(PAGE);
    Ok(Next::Events(rows))
}

impl Reading {
    /// Authenticates the caller again. Returns false if the caller no longer has a right to the stream, or the rights have changed.
    async fn is_still_called(&mut self) -> bool {
        self.check_at = Instant::now() + self.recheck;
        let found = access::caller(&*self.authenticator, &self.hosted, &Method::GET, &self.headers).await;
        found.is_ok_and(|caller| caller == self.caller)
    }

    /// Waits for the next event that the caller may see; none when the caller's right ends, the server stops, or the store fails.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let is_page_of_operators = self.is_unnamed && self.caller.is_operator();
            // A slow client gets the last events of a page long after they were read.
            if self.check_at <= Instant::now() && !self.is_still_called().await {
                return None;
            }
            if let Some(given) = self.lost.take() {
                let newest = self.cursor.number;
                let data = json!({"given": given, "newest": newest});
                return Some(Event::default().id(newest.to_string()).event("stream.reset").data(data.to_string()));
            }
            if let Some(row) = self.waiting.pop_front() {
                self.is_woken = false;
                let id = row.seq.to_string();
                let event = Event::default().id(id).data(summary(&row).to_string());
                return Some(if self.is_unnamed { event } else { event.event(&row.event.kind) });
            }
            self.commits.mark_unchanged();
            let (partition, reach) = (self.hosted.site.partition().clone(), self.reach.clone());
            let cursor = self.cursor.clone();
            let Ok(next) = read(&self.hosted.site, move |store| page(store, &partition, &reach, &cursor)).await else {
                // Too many questions are waiting, or the store cannot be read now.
                tokio::select! {
                    () = sleep_until(Instant::now() + AGAIN) => continue,
                    _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                }
            };
            let rows = match next {
                Next::Events(rows) => rows,
                Next::Older(newest) => {
                    self.lost = Some(std::mem::replace(&mut self.cursor, newest).number);
                    continue;
                }
            };
            let may_have_more = rows.len() == PAGE;
            if let Some(last) = rows.last() {
                self.cursor = Cursor { number: last.seq, id: Some(last.event.id.clone()) };
            }
            // An event without an account is visible only to operators.
            let is_seen = |row: &InboxRow| row.event.account.is_some() || self.caller.is_operator();
            self.waiting = rows.into_iter().filter(is_seen).collect();
            if !self.waiting.is_empty() && !self.is_still_called().await {
                return None;
            }
            if self.waiting.is_empty() && !may_have_more {
                if std::mem::take(&mut self.is_woken) && is_page_of_operators {
                    if !self.is_still_called().await {
                        return None;
                    }
                    return Some(Event::default().data("{}"));
                }
                tokio::select! {
                    changed = self.commits.changed() => changed.ok()?,
                    changed = self.tries.changed(), if is_page_of_operators => changed.ok()?,
                    () = sleep_until(self.check_at) => continue,
                    _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                }
                self.is_woken = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_store::testing::samples::{accepted, new_event, scope};
    use host_store::{MemoryStore, Store};

    fn store_with(ids: &[&str]) -> MemoryStore {
        let mut store = MemoryStore::new();
        for id in ids {
            store.apply(&accepted(new_event(id))).expect("stored");
        }
        store
    }

    #[test]
    fn a_store_without_the_last_event_of_a_stream_is_an_older_one() {
        let partition = scope("user:A").partition();
        let before = store_with(&["evt_1", "evt_2", "evt_3"]);
        let cursor = cursor_at(&before, None).expect("read");
        let next = |store: &MemoryStore, cursor: &Cursor| page(store, &partition, &Reach::All, cursor).expect("read");
        assert!(matches!(next(&before, &cursor), Next::Events(rows) if rows.is_empty()));
        // A copy takes over that ends earlier, and decides different events.
        let mut copy = store_with(&["evt_1"]);
        for id in ["evt_4", "evt_5", "evt_6"] {
            let newest = cursor_at(&copy, None).expect("read");
            assert!(matches!(next(&copy, &cursor), Next::Older(at) if at == newest), "before {id}");
            copy.apply(&accepted(new_event(id))).expect("stored");
        }
        let Next::Older(newest) = next(&copy, &cursor) else { panic!("another event has the number") };
        assert_eq!((newest.number, newest.id.as_deref()), (4, Some("evt_6")));
        copy.apply(&accepted(new_event("evt_7"))).expect("stored");
        let Next::Events(rows) = next(&copy, &newest) else { panic!("the stream goes on") };
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [5]);
    }
}
