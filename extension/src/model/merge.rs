//! How what a provider says about an object becomes its record: the only rules there are, an object a file.
//!
//! Total: nothing is refused, and nothing is looked at but the record and the view. The result depends on the views
//! alone, not on their order or on how often they came: state is the newest view's, an identity is that of the newest
//! view that names one, one-way steps are the furthest, sets unite, and bounded lists keep the greatest. A property
//! holds every object to that (`merge/law.rs`).

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

/// How a view changed a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It changed what the record shows.
    Changed,
    /// It says what is known.
    Same,
    /// It is older than what the record shows.
    Older,
}

/// What an object is named by, with the time of the view that named it.
type Named = (Option<Timestamp>, Option<String>);

/// The newest view that names one counts; of one second the greater name.
fn newest_named(a: Named, b: Named) -> Named {
    match (&a.1, &b.1) {
        (Some(_), None) => a,
        (None, Some(_)) => b,
        _ => a.max(b),
    }
}

/// The earlier of two times that may not be known.
fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}
