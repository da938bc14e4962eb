//! Actions are operations that several rules need, such as to put a product, to create an instance and to retrieve an object.
//! A rule uses no other rule.

pub(crate) mod by_month;
pub(crate) mod count;
pub(crate) mod coupons;
pub(crate) mod create_instance;
pub(crate) mod customer;
pub(crate) mod failed_effect;
pub(crate) mod inject;
pub(crate) mod listed;
pub(crate) mod measurement;
pub(crate) mod permission;
pub(crate) mod put_product;
pub(crate) mod reprice;
pub(crate) mod retrieve;
pub(crate) mod session_lookup;
pub(crate) mod sign_up_trial;
pub(crate) mod spend;
pub(crate) mod step_failed;
pub(crate) mod subscription_change;
pub(crate) mod task;
pub(crate) mod top_up;
pub(crate) mod usage_pull;
