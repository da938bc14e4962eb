//! Webhooks: signatures, the plan of deliveries, and their HTTP requests.

pub mod deliver;
pub mod plan;
pub mod signature;
pub mod trust;
