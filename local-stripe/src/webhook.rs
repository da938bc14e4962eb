//! Webhook deliveries to endpoints: signatures, the order and number of deliveries, and the HTTP requests.

pub mod deliver;
pub mod plan;
pub mod signature;
pub mod trust;
