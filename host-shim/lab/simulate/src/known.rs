//! Known differences between the extension and the oracle. The simulation leaves out what leads to them; set a value to
//! true to see the difference. The scenarios in `known` beside the sources show each of them; a test fails when one of
//! them holds.

/// Asks the host for refunds that fail after they succeeded: `refund-whose-failure-arrives-first.yml`. If the failure
/// arrives before the refund, the amount counts as one that is being refunded for ever: the buyer can't spend these
/// credits, and operators can't refund them again.
pub(crate) const ASKS_FOR_FAILING_REFUNDS: bool = false;
/// Uses coupons in checkouts that were created elsewhere: `coupon-of-a-checkout-made-elsewhere.yml`. A second event
/// about such a session is rejected with `amount-mismatch`, since its subtotal is compared with the total of the first
/// event.
pub(crate) const COUPONS_ELSEWHERE: bool = false;
/// Checks what goes back to a closed account for items that require a plan: `closed-account-with-a-booster.yml`. The
/// first payment of such an item goes back as a whole, also that of a month, since no plan is in force after the
/// closing.
pub(crate) const CLOSES_WITH_ADD_ONS: bool = false;
