//! Decides which process serves the functions of a folder: the one that holds the lock. When it ends, another process
//! takes over.

use crate::local::away::AwaySlot;
use crate::local::error::LocalError;
use crate::local::server::Server;
use crate::local::store::ResourceStore;
use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The lock file of the serving process.
const LOCK: &str = "serving.lock";
/// Pause before a process tries again to take the lock.
const PAUSE: Duration = Duration::from_millis(50);
/// Time for the process with the lock to store its port, which it does right after taking the lock.
const STORES_PORT: Duration = Duration::from_secs(10);

/// The address of the folder's functions, and this process's role in serving them.
pub(crate) struct Serving {
    address: SocketAddr,
    /// The server and its lock; none while another process serves. Fields are dropped in order: the server first.
    _server: Option<(Server, File)>,
    _successor: Option<Successor>,
}

/// A thread that starts serving when the other process ends. It stops when the sender is dropped.
struct Successor {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves the functions of the folder, or waits until the process that serves them ends.
    pub fn start(store: &ResourceStore, port: Option<u16>, away: &AwaySlot) -> Result<Serving, LocalError> {
        let lock = store.lock_file(LOCK)?;
        let begun = Instant::now();
        loop {
            if is_taken(&lock, store)? {
                let server = Server::start(store.clone(), port, away.clone())?;
                return Ok(Serving { address: server.address(), _server: Some((server, lock)), _successor: None });
            }
            if let Some(port) = store.port()? {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                return Ok(Serving {
                    address,
                    _server: None,
                    _successor: Some(Successor::wait(store.clone(), lock, away.clone())),
                });
            }
            if begun.elapsed() > STORES_PORT {
                let error = std::io::Error::other("another process holds the lock and has stored no port");
                return Err(LocalError::Io { path: store.file(LOCK), error });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Serves nothing. The address is that of the process that serves the folder, now or later.
    pub fn elsewhere(store: &ResourceStore) -> Result<Serving, LocalError> {
        let port = store.port()?.unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Serving { address, _server: None, _successor: None })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes the lock. Returns false if another process holds it.
fn is_taken(lock: &File, store: &ResourceStore) -> Result<bool, LocalError> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(LocalError::Io { path: store.file(LOCK), error }),
    }
}

impl Successor {
    fn wait(store: ResourceStore, lock: File, away: AwaySlot) -> Successor {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut server: Option<Server> = None;
            // The sender never sends anything: a disconnection ends the wait.
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PAUSE) {
                if server.is_none() && is_taken(&lock, &store).unwrap_or(false) {
                    // The port stays in use for a moment after the other process has ended, so a failed attempt is
                    // repeated.
                    server = Server::start(store.clone(), None, away.clone()).ok();
                }
            }
            drop(server);
        });
        Successor { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has no result.
            let _ = thread.join();
        }
    }
}
