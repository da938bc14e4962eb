//! Discounts: which coupon a request means, what it takes off, and how long it lasts.

pub mod amount;
pub mod redeem;
pub mod term;
