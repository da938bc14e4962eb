//! The rules that merge a provider's snapshot of an object into its record, one file for each object.
//!
//! A merge refuses nothing and uses only the record and the snapshot. The result does not depend on the order or number
//! of deliveries: the newest snapshot gives the state, the newest one with an id gives that id, one-way statuses keep
//! the furthest, sets unite, and bounded lists keep the greatest. A property test checks every object (`merge/law.rs`).

pub(crate) mod customer;
pub(crate) mod dispute;
pub(crate) mod invoice;
#[cfg(test)]
mod law;
#[cfg(test)]
mod order;
pub(crate) mod payment;
pub(crate) mod payouts;
pub(crate) mod price;
pub(crate) mod session;
pub(crate) mod subscription;
pub(crate) mod subscription_schedule;

use extension_contract::Timestamp;

/// How a snapshot changed a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It changed the current state.
    Changed,
    /// It equals the current state.
    Same,
    /// It is older than the current state.
    Older,
}

/// An id of a related object, with the time of the snapshot that contains it.
type DatedId = (Option<Timestamp>, Option<String>);

/// Returns the id from the newest snapshot that has one; in one second, the greater id.
fn newest_id(a: DatedId, b: DatedId) -> DatedId {
    match (&a.1, &b.1) {
        (Some(_), None) => a,
        (None, Some(_)) => b,
        _ => a.max(b),
    }
}

/// Returns the earlier of two optional times.
fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}
