//! A proxy between a client and a server that injects faults into chosen exchanges.
//!
//! With HTTP, an exchange is a request with its response, on its own connection. With other protocols, each read of up
//! to 16 KiB from the client counts as a request and begins an exchange. Exchanges are counted over all connections, in
//! the order in which they begin.

mod http;
mod plain;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A fault in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The proxy resets a new connection before it reads the request; the server receives nothing.
    Refuse,
    /// The proxy resets the connection after it has read the request; the server does not receive the request.
    ResetBefore,
    /// The server handles the request, but the proxy resets the connection instead of forwarding the response.
    ResetAfter,
    /// The server handles the request, but its response is delayed.
    Delay(Duration),
    /// The proxy responds with this HTTP status and `Retry-After` in seconds; the server does not receive the request.
    /// With [`Protocol::Plain`], the proxy resets the connection instead.
    Status(u16, Option<u32>),
    /// The server handles the request, but the proxy forwards only part of the response and closes the connection.
    Truncate,
}

/// Protocol of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// Any protocol in which the client waits for the server's response.
    Plain,
}

/// Selects the exchanges that a fault affects.
#[derive(Clone, Debug)]
enum Condition {
    /// The exchange with this number.
    Nth(usize),
    /// The next exchange whose request contains these bytes.
    With(Vec<u8>),
    /// Every exchange.
    Always,
}

#[derive(Default)]
struct State {
    faults: Vec<(Condition, Fault)>,
    struck: usize,
    seen: Vec<String>,
}

/// State shared by the threads of a proxy.
#[derive(Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    /// True while all bytes are held back.
    held: Arc<(Mutex<bool>, Condvar)>,
    /// The server for new connections.
    upstream: Arc<Mutex<SocketAddr>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_held(&self, is_held: bool) {
        *self.held.0.lock().unwrap_or_else(PoisonError::into_inner) = is_held;
        self.held.1.notify_all();
    }

    /// Waits while bytes are held back.
    fn pass(&self) {
        let held = self.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.held.1.wait_while(held, |held| *held));
    }

    fn upstream(&self) -> SocketAddr {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an exchange and returns its fault.
    fn strike(&self, request: &[u8]) -> Option<Fault> {
        let mut state = self.state();
        let number = state.seen.len();
        let line = request.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
        state.seen.push(String::from_utf8_lossy(line).into_owned());
        let strikes = |condition: &Condition| match condition {
            Condition::Nth(nth) => *nth == number,
            Condition::With(bytes) => request.windows(bytes.len()).any(|window| window == bytes.as_slice()),
            Condition::Always => true,
        };
        let at = state.faults.iter().position(|(condition, _)| strikes(condition))?;
        state.struck += 1;
        match state.faults[at].0 {
            Condition::Always => Some(state.faults[at].1),
            Condition::Nth(_) | Condition::With(_) => Some(state.faults.remove(at).1),
        }
    }

    /// Returns whether to refuse a new connection, and records the refusal as an exchange. The request is not read yet,
    /// so [`Condition::With`] matches no new connection.
    fn refuses(&self) -> bool {
        let mut state = self.state();
        let number = state.seen.len();
        let refused = |(condition, fault): &(Condition, Fault)| {
            *fault == Fault::Refuse
                && match condition {
                    Condition::Nth(nth) => *nth == number,
                    Condition::Always => true,
                    Condition::With(_) => false,
                }
        };
        let Some(at) = state.faults.iter().position(refused) else { return false };
        if matches!(state.faults[at].0, Condition::Nth(_)) {
            state.faults.remove(at);
        }
        state.struck += 1;
        state.seen.push("refused".to_owned());
        true
    }
}

/// A proxy on a port of 127.0.0.1.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Shared,
}

impl FaultProxy {
    /// Starts a proxy in front of the server at `upstream`, without faults.
    pub fn start(upstream: SocketAddr, protocol: Protocol) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = Arc::new(Mutex::new(upstream));
        let shared = Shared { state: Arc::default(), held: Arc::default(), upstream };
        let threads = shared.clone();
        // The thread ends with the test process: accepting connections can't be interrupted.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = threads.clone();
                thread::spawn(move || serve(&client, protocol, &shared));
            }
        });
        FaultProxy { address, shared }
    }

    /// Returns the proxy's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Injects a fault once into the exchange with this number, counted from 0 since the last [`FaultProxy::clear`].
    pub fn fail_nth(&self, number: usize, fault: Fault) {
        self.shared.state().faults.push((Condition::Nth(number), fault));
    }

    /// Injects a fault once into the next exchange whose request contains these bytes. Does not support
    /// [`Fault::Refuse`].
    pub fn fail_with(&self, bytes: &str, fault: Fault) {
        self.shared.state().faults.push((Condition::With(bytes.as_bytes().to_vec()), fault));
    }

    /// Injects a fault into every exchange.
    pub fn fail_always(&self, fault: Fault) {
        self.shared.state().faults.push((Condition::Always, fault));
    }

    /// Makes the server appear frozen: connections stay open and are accepted, but no byte passes, until [`FaultProxy::go_on`].
    /// Only with [`Protocol::Plain`].
    pub fn freeze(&self) {
        self.shared.set_held(true);
    }

    /// Passes on the bytes that were held back and all later ones.
    pub fn go_on(&self) {
        self.shared.set_held(false);
    }

    /// Directs new connections to another server, like the name of a database after a failover.
    pub fn lead_to(&self, upstream: SocketAddr) {
        *self.shared.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Returns the number of faults injected since the last [`FaultProxy::clear`].
    pub fn struck(&self) -> usize {
        self.shared.state().struck
    }

    /// Returns the first line of each request, in order, since the last [`FaultProxy::clear`].
    pub fn seen(&self) -> Vec<String> {
        self.shared.state().seen.clone()
    }

    /// Removes all faults and resets the counters.
    pub fn clear(&self) {
        *self.shared.state() = State::default();
    }
}

/// Serves one connection. After an error it resets the client's connection, so that the client sees the error.
fn serve(client: &TcpStream, protocol: Protocol, shared: &Shared) {
    let upstream = shared.upstream();
    if shared.refuses() {
        return reset(client);
    }
    let ended = match protocol {
        Protocol::Http => http::exchange(client, upstream, shared),
        Protocol::Plain => plain::pass(client, upstream, shared),
    };
    // For example, the server is unreachable.
    if ended.is_err() {
        reset(client);
    }
}

/// Makes a connection end with a reset when its last handle is dropped, and wakes its readers.
fn reset(client: &TcpStream) {
    let lingers = rustix::net::sockopt::set_socket_linger(client.as_fd(), Some(Duration::ZERO));
    lingers.expect("a socket takes its options");
    // Fails if the client has already closed the connection.
    let _ = client.shutdown(Shutdown::Read);
}
