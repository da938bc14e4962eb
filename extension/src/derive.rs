//! What follows from the merged records: payment facts, plans, entitlements. Computed anew for each decision, never
//! stored, so it can't depend on how the account got here.

pub(crate) mod customer;
pub(crate) mod offer;
pub(crate) mod period;
pub(crate) mod plans;
pub(crate) mod standing;
pub(crate) mod subscriptions;
pub(crate) mod upgrade;
