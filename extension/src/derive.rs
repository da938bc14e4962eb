//! Derives payment facts, plans and entitlements from the merged records. They are computed for each decision and not
//! stored, so they do not depend on the order of events.

pub(crate) mod currency;
pub(crate) mod customer;
pub(crate) mod included;
pub(crate) mod offer;
pub(crate) mod overdue;
pub(crate) mod period;
pub(crate) mod plans;
pub(crate) mod sold;
pub(crate) mod standing;
pub(crate) mod subscriptions;
pub(crate) mod unused;
pub(crate) mod upgrade;
