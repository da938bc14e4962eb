//! Copies the write-ahead log into the file on a separate thread, so that no commit waits for it.

use super::{BUSY_TIMEOUT, OpenError};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time from a commit to the copy, which includes what has been committed in the meantime.
const AFTER: Duration = Duration::from_millis(250);

/// The work that the thread has to do.
#[derive(Debug, Default)]
struct Wanted {
    /// True after a commit that has not been copied yet.
    is_behind: bool,
    is_stopped: bool,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // A panic in between leaves the flags valid.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Waits until a copy is due. Returns false if the thread should end.
    fn wait(&self) -> bool {
        let wanted = self.lock();
        let to_copy = self.changed.wait_while(wanted, |wanted| !wanted.is_behind && !wanted.is_stopped);
        let wanted = to_copy.unwrap_or_else(PoisonError::into_inner);
        let due = self.changed.wait_timeout_while(wanted, AFTER, |wanted| !wanted.is_stopped);
        let (mut wanted, _) = due.unwrap_or_else(PoisonError::into_inner);
        wanted.is_behind = false;
        !wanted.is_stopped
    }
}

/// The thread. It ends when this value is dropped.
#[derive(Debug)]
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread, with its own connection.
    pub(super) fn start(path: &Path) -> Result<Checkpoints, OpenError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let run = move || {
            while of_thread.wait() {
                // It copies whatever no reader needs any longer, and never waits for the writer. After an error the next
                // copy has more to do; at the latest, the writer copies.
                let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            }
        };
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(run);
        let thread = thread.map_err(|error| OpenError::Io { path: path.to_owned(), error })?;
        Ok(Checkpoints { shared, thread: Some(thread) })
    }

    /// Notes a commit.
    pub(super) fn committed(&self) {
        self.shared.set(|wanted| wanted.is_behind = true);
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.set(|wanted| wanted.is_stopped = true);
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
    }
}
