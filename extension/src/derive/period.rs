//! The period that something is counted in.

use super::standing::Standing;
use crate::catalog::entitlement::{CountedBy, EntitlementDecl};
use crate::model::time::month_of;
use extension_contract::Timestamp;

/// A period: its first moment, and the first one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// The period of a counter that a time is in: of the calendar, or of the plan that grants it. After the plan's
/// period it is the next one, whose end is not known before its renewal; what is older than it is of its month.
pub(crate) fn period_of(standing: &Standing, key: &str, decl: &EntitlementDecl, at: Timestamp) -> Period {
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
