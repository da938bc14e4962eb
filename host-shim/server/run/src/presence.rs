//! Keeps the name of a host in a database that several hosts share, on its own thread.

use crate::background::{Stop, Work};
use host_store::Partition;
use host_store_postgres::Presence;
use std::time::Duration;

/// Interval between checks of the connection.
const EVERY: Duration = Duration::from_secs(5);

/// Keeps a name. Its locks are released when the thread has ended.
pub(crate) struct PresenceWork {
    presence: Presence,
    partition: Partition,
    is_kept: bool,
}

impl PresenceWork {
    /// Creates the work from a name that was taken.
    pub(crate) fn new(presence: Presence, partition: Partition) -> PresenceWork {
        PresenceWork { presence, partition, is_kept: true }
    }
}

impl Work for PresenceWork {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn work(&mut self, _stop: &Stop) -> Duration {
        match self.presence.keep() {
            Ok(kept) => {
                if self.is_kept && !kept {
                    let business = self.partition.name();
                    tracing::error!(
                        business,
                        "another server has the name of this one: stop it, or its effects are done twice"
                    );
                }
                self.is_kept = kept;
            }
            // The store has the same failure, and reports it.
            Err(error) => tracing::debug!(%error, "the name of this server is not kept"),
        }
        EVERY
    }
}
