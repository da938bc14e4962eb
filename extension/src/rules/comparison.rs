//! The regular comparison of a subscription with Stripe's object: counts it, and reports a difference.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::comparison::Comparison;
use crate::model::records::subscription::SubscriptionRow;
use extension_contract::EffectReport;
use serde_json::json;
use std::rc::Rc;

/// Counts a comparison whose retrieved object was merged, and reports a difference from the row `before`.
pub(super) fn record(
    desk: &mut Desk<'_>,
    id: &str,
    before: Option<Rc<SubscriptionRow>>,
    report: &EffectReport,
) -> Ruled<()> {
    let after = desk.account.get::<SubscriptionRow>(id)?;
    let differs = before.as_ref().map(|row| row.state()) != after.as_ref().map(|row| row.state());
    let known = desk.account.row::<Comparison>(Comparison::ID)?.unwrap_or_default();
    let (compared, corrected) = (known.compared.saturating_add(1), known.corrected + i64::from(differs));
    desk.account.put(Comparison::ID, Comparison { compared, corrected, ..known });
    if differs {
        let status = |row: &Option<Rc<SubscriptionRow>>| row.as_ref().map(|row| row.status());
        let values = json!({"subscription": id, "before": status(&before), "after": status(&after)});
        send_once(&mut desk.account, &mail_kinds::DIFFERENCE_CORRECTED, &report.key, &values)?;
    }
    Ok(())
}
