//! Counting periods of entitlements.

use super::standing::AccountStanding;
use crate::catalog::entitlement::{CountedBy, EntitlementDecl};
use crate::model::time::month_of;
use extension_contract::Timestamp;

/// A period from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// Returns the counter's period that contains `at`: a calendar month, or the billing period of the plan that grants the
/// entitlement. After the plan's known period, this is the next period; its end is unknown before the renewal
/// and equals its start. Before the plan's known period, this is the calendar month.
pub(crate) fn period_of(standing: &AccountStanding, key: &str, decl: &EntitlementDecl, at: Timestamp) -> Period {
    let by_plan = match decl.period.unwrap_or_default() {
        CountedBy::CalendarMonth => None,
        CountedBy::BillingPeriod => standing.granting(key).and_then(|family| standing.plan_item(family)),
    };
    match by_plan {
        Some((_, item)) if at >= item.period_end => Period { start: item.period_end, end: item.period_end },
        Some((_, item)) if at >= item.period_start => Period { start: item.period_start, end: item.period_end },
        _ => {
            let (start, end) = month_of(at);
            Period { start, end }
        }
    }
}
