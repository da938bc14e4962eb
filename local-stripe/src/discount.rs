//! Discounts: finds the requested coupon, and computes how much it deducts and how long the discount lasts.

pub mod amount;
pub mod item;
pub mod redeem;
pub mod term;
