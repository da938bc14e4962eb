//! Webhooks: signatures, the order and number of deliveries, and making them.

pub mod deliver;
pub mod plan;
pub mod signature;
pub mod trust;
