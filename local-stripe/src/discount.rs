//! Discounts: which coupon a request names, how much the coupon deducts, and how long the discount lasts.

pub mod amount;
pub mod item;
pub mod redeem;
pub mod term;
