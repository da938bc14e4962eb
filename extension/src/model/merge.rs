//! The rules that merge a snapshot of a Stripe object into its record, one file for each object. A merge accepts every snapshot, and
//! uses only the record and the snapshot. The result does not depend on the order or number of deliveries. The newest snapshot
//! determines the state, and the newest snapshot with an id determines this id. Of two one-way statuses the further one stays; sets are
//! united; bounded lists keep their greatest entries. A property test checks every object (`merge/law.rs`).

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
    /// The snapshot changed the current state.
    Changed,
    /// The snapshot equals the current state.
    Same,
    /// The snapshot is older than the current state.
    Older,
}

/// An id of a related object, with the time of the snapshot that contains it.
type DatedId<I> = (Option<Timestamp>, Option<I>);

/// Returns the id from the newest snapshot that has one; of two snapshots of the same time, the greater id.
fn newest_id<I: Ord>(a: DatedId<I>, b: DatedId<I>) -> DatedId<I> {
    match (&a.1, &b.1) {
        (Some(_), None) => a,
        (None, Some(_)) => b,
        _ => a.max(b),
    }
}

/// Returns the earlier of two optional times.
pub(crate) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}
