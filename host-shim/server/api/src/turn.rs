//! Assigns each request a turn, and limits the requests in progress per address and per caller. A request begins in the
//! turn of its address; [`pass_on`] passes it on to the caller. Store queries, events and streamed answers use the turn
//! of the request implicitly ([`current`]), so nobody waits behind all the requests of somebody else. Requests of
//! services and operators, and signed requests of providers, are not counted against their address, which a whole
//! company may share.

use crate::at_once::{AtOnce, Held};
use crate::polled::polled;
use crate::problem::Problem;
use crate::shares::networks;
use axum::body::Body;
use axum::http::Response;
use host_engine::turns::Turn;
use host_identity::access::Caller;
use hyper::body::Body as HttpBody;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

tokio::task_local! {
    /// The request that is being answered.
    static REQUEST: Arc<OpenRequest>;
}

/// The requests in progress of a server.
#[derive(Debug, Default)]
pub(crate) struct InProgress {
    of_addresses: Arc<AtOnce<IpAddr>>,
    of_callers: Arc<AtOnce<String>>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    address: Option<IpAddr>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    turn: Turn,
    of_address: Option<Held<IpAddr>>,
    of_caller: Option<(String, Held<String>)>,
}

/// The refusal of a request whose caller or address (`who`, with its verb) has too many requests in progress.
fn too_many(who: &str) -> Problem {
    Problem::at_once(&format!("{who} too many requests in progress: wait for an answer"))
}

impl OpenRequest {
    /// Begins a request from an address. A request that does not come from a connection has no address.
    pub(crate) fn of(
        in_progress: &InProgress,
        address: Option<IpAddr>,
        most: usize,
    ) -> Result<Arc<OpenRequest>, Problem> {
        let counted = |address| -> Vec<(IpAddr, usize)> {
            networks(address).map(|(network, times)| (network, most.saturating_mul(times as usize))).collect()
        };
        let of_address = address.map(|address| {
            let held = in_progress.of_addresses.begin(&counted(address));
            held.ok_or_else(|| too_many("this address has"))
        });
        let name = address.and_then(|address| networks(address).next()).map(|(network, _)| network.to_string());
        let turn = Turn::of_caller(&name.unwrap_or_default());
        let state = State { turn, of_address: of_address.transpose()?, of_caller: None };
        Ok(Arc::new(OpenRequest { address, state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request: the queries of the future are queued in the turn of this request.
pub(crate) async fn within<F: Future>(asking: Arc<OpenRequest>, future: F) -> F::Output {
    REQUEST.scope(asking, future).await
}

/// Returns the turn of the request that is being answered; outside of a request, the server's own.
pub(crate) fn current() -> Turn {
    REQUEST.try_with(|asking| asking.state().turn.clone()).unwrap_or(Turn::Server)
}

/// Returns the address that sent the request.
pub(crate) fn address() -> Option<IpAddr> {
    REQUEST.try_with(|asking| asking.address).ok().flatten()
}

/// Returns the name under which the requests of a caller take turns and their stored bytes are counted. All keys of one
/// account share a name.
pub(crate) fn name_of(caller: &Caller) -> String {
    let name = caller.own_account().map_or_else(|| caller.key.clone(), ToString::to_string);
    format!("{} {name}", caller.partition.name())
}

/// Passes the turn on to a caller, who then has one more request in progress. With `leaves_address`, the request is no
/// longer counted against its address.
///
/// # Errors
/// Fails if too many are in progress.
pub(crate) fn pass_on(
    in_progress: &InProgress,
    name: String,
    most: usize,
    turn: impl FnOnce(&str) -> Turn,
    leaves_address: bool,
) -> Result<(), Problem> {
    let passed_on = REQUEST.try_with(|asking| {
        let mut state = asking.state();
        // A page calls the API on behalf of its reader, whose request has already been counted.
        if state.of_caller.as_ref().is_some_and(|(known, _)| *known == name) {
            return Ok(());
        }
        let held = in_progress.of_callers.begin(&[(name.clone(), most)]).ok_or_else(|| too_many("you have"))?;
        state.turn = turn(&name);
        state.of_caller = Some((name, held));
        if leaves_address {
            state.of_address = None;
        }
        Ok(())
    });
    passed_on.unwrap_or(Ok(()))
}

/// Passes the turn on to providers, because the request has a provider's signature.
pub(crate) fn signed() {
    // Outside of a request there is no turn to pass on.
    let _ = REQUEST.try_with(|asking| {
        let mut state = asking.state();
        (state.turn, state.of_address) = (Turn::Webhook, None);
    });
}

/// Stops counting the request: it has become a stream, which may stay open for a long time and has its own limit.
pub(crate) fn goes_on() {
    let _ = REQUEST.try_with(|asking| {
        let mut state = asking.state();
        (state.of_address, state.of_caller) = (None, None);
    });
}

/// Lets work continue in the turn of the request, which remains in progress until the work ends.
pub(crate) fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let asking = REQUEST.try_with(Arc::clone).ok();
    async move {
        match asking {
            Some(asking) => REQUEST.scope(asking, future).await,
            None => future.await,
        }
    }
}

/// Lets the body of an answer continue in the turn of its request. A body of known size is complete and makes no
/// further queries.
pub(crate) fn carried(asking: Arc<OpenRequest>, response: Response<Body>) -> Response<Body> {
    match HttpBody::size_hint(response.body()).exact() {
        Some(_) => response,
        None => response.map(|body| {
            polled(body, move |body, context| REQUEST.sync_scope(asking.clone(), || body.poll_frame(context)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::convert::Infallible;

    const SHARED: &str = "192.0.2.1";

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    fn begin(in_progress: &InProgress, address: &str) -> Result<Arc<OpenRequest>, Problem> {
        OpenRequest::of(in_progress, address.parse().ok(), 2)
    }

    fn pass(in_progress: &InProgress, name: &str, is_program: bool) -> Result<(), Problem> {
        pass_on(in_progress, name.to_owned(), 2, Turn::of_caller, is_program)
    }

    #[test]
    fn a_request_has_the_turn_of_its_address_until_its_caller_is_found() {
        let in_progress = InProgress::default();
        let asking = begin(&in_progress, "2001:db8:1:2:3::4").expect("room");
        block_on(within(asking, async {
            assert_eq!(current(), Turn::of_caller("2001:db8:1:2::"), "with the client's network");
            pass(&in_progress, "ada", false).expect("room");
            pass(&in_progress, "ada", false).expect("the page of a caller calls the API");
            assert_eq!(current(), Turn::of_caller("ada"));
            assert_eq!(carry(async { current() }).await, Turn::of_caller("ada"), "also what goes on after the answer");
            signed();
            assert_eq!(current(), Turn::Webhook);
        }));
        assert_eq!(current(), Turn::Server, "outside of a request");
    }

    #[test]
    fn requests_in_progress_are_limited_per_caller_over_all_addresses() {
        let in_progress = InProgress::default();
        let asks = |name: &'static str, at: u8| {
            let asking = begin(&in_progress, &format!("192.0.2.{at}")).expect("room");
            block_on(within(asking.clone(), async { pass(&in_progress, name, false) })).map(|()| asking)
        };
        let held: Vec<_> = (1..3).map(|at| asks("eve", at).expect("room")).collect();
        let refused = asks("eve", 3).expect_err("two are in progress");
        assert_eq!((refused.status().as_u16(), refused.body()["code"].as_str()), (429, Some("too-many-at-once")));
        asks("ada", 3).expect("room for others");
        drop(held);
        asks("eve", 3).expect("they have ended");
    }

    #[test]
    fn requests_in_progress_are_limited_per_address_except_for_programs_and_streams() {
        let in_progress = InProgress::default();
        let asks = || begin(&in_progress, SHARED);
        let held = [asks().expect("room"), asks().expect("room")];
        assert_eq!(asks().expect_err("two are in progress").status(), 429);
        begin(&in_progress, "192.0.2.2").expect("room for others");
        block_on(within(held[0].clone(), async { pass(&in_progress, "backend", true) })).expect("room");
        let third = asks().expect("a program's requests are counted for the program only");
        assert!(asks().is_err());
        block_on(within(held[1].clone(), async { signed() }));
        let fourth = asks().expect("a signed event is counted for nobody");
        block_on(within(third.clone(), async { goes_on() }));
        let fifth = asks().expect("streams have a limit of their own");
        drop((held, third, fourth, fifth));
        assert!((0..2).map(|_| asks()).collect::<Result<Vec<_>, _>>().is_ok());
    }

    #[test]
    fn the_stream_of_an_answer_goes_on_in_the_turn_of_its_request() {
        let asking = begin(&InProgress::default(), SHARED).expect("room");
        let named = || futures_util::stream::once(async { Ok::<_, Infallible>(format!("{:?}", current())) });
        let response = |body| Response::new(body);
        let read = |response: Response<Body>| {
            let whole = block_on(response.into_body().collect()).expect("a body").to_bytes();
            String::from_utf8(whole.to_vec()).expect("a text")
        };
        assert_eq!(read(response(Body::from_stream(named()))), "Server");
        let expected = format!("{:?}", Turn::of_caller(SHARED));
        assert_eq!(read(carried(asking, response(Body::from_stream(named())))), expected);
    }
}
