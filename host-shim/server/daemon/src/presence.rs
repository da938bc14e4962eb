//! Keeps the name of a host in a database that several hosts share, on a thread of its own.

use crate::background::{Background, Stop};
use host_store::Partition;
use host_store_postgres::Presence;
use std::io;
use std::time::Duration;

/// Time between two looks at the connection.
const EVERY: Duration = Duration::from_secs(5);

/// Starts the thread. The locks are free after it has ended.
pub(crate) fn keep(mut presence: Presence, partition: Partition) -> io::Result<Background> {
    let mut is_kept = true;
    Background::start("presence", move |_: &Stop| {
        match presence.keep() {
            Ok(kept) => {
                if is_kept && !kept {
                    let business = partition.name();
                    tracing::error!(
                        business,
                        "another server has the name of this one: stop it, or its effects are done twice"
                    );
                }
                is_kept = kept;
            }
            // The store has the same failure, and says so.
            Err(error) => tracing::debug!(%error, "the name of this server is not kept"),
        }
        EVERY
    })
}
