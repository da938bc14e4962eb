//! Discounts: which coupon a request means, how much it deducts, and how long it lasts.

pub mod amount;
pub mod redeem;
pub mod term;
