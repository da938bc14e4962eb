//! Known differences between the extension and the oracle. The simulation leaves out what leads to them; set a value to true
//! to see the difference.

/// Asks the host for refunds that fail after they succeeded. If the failure arrives before the refund, the amount counts as one
/// that is being refunded for ever: the buyer can't spend these credits, and operators can't refund them again.
/// (`tesslate --seed 2 --customers 50 --days 120`)
pub(crate) const ASKS_FOR_FAILING_REFUNDS: bool = false;
/// Uses coupons in checkouts that were created elsewhere. A second event about such a session is rejected with
/// `amount-mismatch`, since its subtotal is compared with the total of the first event.
/// (`podcasts --seed 1 --customers 50 --only 43 --days 12`)
pub(crate) const COUPONS_ELSEWHERE: bool = false;
