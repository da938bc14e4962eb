//! A proxy between a client and a server that breaks one exchange in a way of the test's choice.
//!
//! Of HTTP an exchange is a request with its answer; each has a connection of its own. Of anything else it is what a client
//! says until the server has said something. Exchanges are counted over all connections, in the order in which they begin.

mod http;
mod plain;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How an exchange goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before anything was read; the server sees nothing.
    Refuse,
    /// The connection is reset after the request was read; the server sees nothing.
    ResetBefore,
    /// The server has done it, and the connection is reset instead of its answer.
    ResetAfter,
    /// The server has done it, and its answer comes this much later.
    Delay(Duration),
    /// An HTTP answer of this status with `Retry-After` in seconds; the server sees nothing.
    Status(u16, Option<u32>),
    /// The server has done it, and its answer ends in the middle.
    Truncate,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// Anything in which the server answers before the client goes on.
    Plain,
}

/// When a fault strikes.
#[derive(Clone, Debug)]
enum When {
    /// At the exchange of this number.
    Nth(usize),
    /// At the next exchange that has these bytes.
    With(Vec<u8>),
    /// At every one.
    Always,
}

#[derive(Default)]
struct State {
    faults: Vec<(When, Fault)>,
    struck: usize,
    seen: Vec<String>,
}

/// What the threads of a proxy share.
#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an exchange, and says how it goes wrong.
    fn strike(&self, request: &[u8]) -> Option<Fault> {
        let mut state = self.state();
        let number = state.seen.len();
        let line = request.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
        state.seen.push(String::from_utf8_lossy(line).into_owned());
        let strikes = |when: &When| match when {
            When::Nth(nth) => *nth == number,
            When::With(bytes) => request.windows(bytes.len()).any(|window| window == bytes.as_slice()),
            When::Always => true,
        };
        let at = state.faults.iter().position(|(when, _)| strikes(when))?;
        state.struck += 1;
        match state.faults[at].0 {
            When::Always => Some(state.faults[at].1),
            When::Nth(_) | When::With(_) => Some(state.faults.remove(at).1),
        }
    }

    /// Whether connections are refused from the start: what was asked in them nobody knows.
    fn refuses(&self) -> bool {
        let mut state = self.state();
        let number = state.seen.len();
        let refused = |(when, fault): &(When, Fault)| {
            *fault == Fault::Refuse
                && match when {
                    When::Nth(nth) => *nth == number,
                    When::Always => true,
                    When::With(_) => false,
                }
        };
        let Some(at) = state.faults.iter().position(refused) else { return false };
        if matches!(state.faults[at].0, When::Nth(_)) {
            state.faults.remove(at);
        }
        state.struck += 1;
        state.seen.push("refused".to_owned());
        true
    }
}

/// A proxy that listens on a port of 127.0.0.1.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Shared,
}

impl FaultProxy {
    /// A proxy before the server at this address; all goes through until it is told otherwise.
    pub fn start(upstream: SocketAddr, protocol: Protocol) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Shared(Arc::default());
        let threads = shared.clone();
        // It ends with the test's process: a listener has no way to be interrupted.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = threads.clone();
                thread::spawn(move || serve(&client, upstream, protocol, &shared));
            }
        });
        FaultProxy { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The exchange of this number, from 0 and from the last [`FaultProxy::clear`], goes wrong, once.
    pub fn fail_nth(&self, number: usize, fault: Fault) {
        self.shared.state().faults.push((When::Nth(number), fault));
    }

    /// The next exchange whose request has these bytes goes wrong, once. [`Fault::Refuse`] can't be had this way.
    pub fn fail_with(&self, bytes: &str, fault: Fault) {
        self.shared.state().faults.push((When::With(bytes.as_bytes().to_vec()), fault));
    }

    /// Every exchange goes wrong.
    pub fn fail_always(&self, fault: Fault) {
        self.shared.state().faults.push((When::Always, fault));
    }

    /// How many exchanges went wrong, from the last [`FaultProxy::clear`].
    pub fn struck(&self) -> usize {
        self.shared.state().struck
    }

    /// The first line of each request, in order, from the last [`FaultProxy::clear`].
    pub fn seen(&self) -> Vec<String> {
        self.shared.state().seen.clone()
    }

    /// Nothing goes wrong any more, and what was seen is forgotten.
    pub fn clear(&self) {
        *self.shared.state() = State::default();
    }
}

/// One connection. What goes wrong with it by itself is the client's to see.
fn serve(client: &TcpStream, upstream: SocketAddr, protocol: Protocol, shared: &Shared) {
    if shared.refuses() {
        return reset(client);
    }
    let ended = match protocol {
        Protocol::Http => http::exchange(client, upstream, shared),
        Protocol::Plain => plain::pass(client, upstream, shared),
    };
    // A server that is not there is a connection that ends.
    if ended.is_err() {
        reset(client);
    }
}

/// Has a connection end with a reset once every handle on it is dropped, and wakes who reads from it.
fn reset(client: &TcpStream) {
    let lingers = rustix::net::sockopt::set_socket_linger(client.as_fd(), Some(Duration::ZERO));
    lingers.expect("a socket takes its options");
    // Nobody reads from one that the other side has ended already.
    let _ = client.shutdown(Shutdown::Read);
}
