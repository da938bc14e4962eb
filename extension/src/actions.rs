//! What several rules do: put a product, create an instance, fetch an object. A rule uses no other rule; what two rules
//! share is an action.

pub(crate) mod count;
pub(crate) mod create_instance;
pub(crate) mod customer;
pub(crate) mod fetch;
pub(crate) mod inject;
pub(crate) mod listed;
pub(crate) mod membership;
pub(crate) mod permission;
pub(crate) mod put_product;
pub(crate) mod session_lookup;
pub(crate) mod spend;
pub(crate) mod task;
pub(crate) mod unattended;
