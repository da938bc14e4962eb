//! Tells an account when the usage of a month has reached a percentage of what it may be invoiced for: of its own cap or, without one,
//! of the business's limit.

use crate::actions::spend::may_spend;
use crate::catalog::rate::{PaidBy, Rate};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::mail_kinds;
use crate::model::money::to_micros;
use crate::model::notice::send_once;
use crate::model::records::cap::Cap;
use crate::model::records::usage::UsageMonth;
use crate::model::time::rfc3339;
use serde_json::json;

/// Sends the mails of the open months that the event has changed, each once for a month and percentage.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    let is_capped_now = !desk.account.touched::<Cap>().is_empty();
    let touched = desk.account.touched::<UsageMonth>();
    if touched.is_empty() && !is_capped_now {
        return Ok(());
    }
    let settings = desk.catalog.settings()?;
    let has_alerts = |rate: &&Rate| {
        rate.pay.contains(&PaidBy::Invoice) && rate.invoice.as_ref().is_some_and(|terms| !terms.alerts.is_empty())
    };
    if !settings.rates.values().any(|rate| has_alerts(&rate)) {
        return Ok(());
    }
    for (id, month) in desk.account.all_where(|month: &UsageMonth| !month.closed)? {
        if !is_capped_now && !touched.contains(&id) {
            continue;
        }
        let used = month.uses.0.iter().filter_map(|used| settings.rates.get(&used.meter)).filter(has_alerts);
        let currency = month.currency(&settings.currency);
        let open = i128::from(month.open_micros().max(0));
        for terms in used.filter_map(|rate| rate.invoice.as_ref()) {
            let limit = may_spend(desk, terms)?;
            let Some((minor, is_cap)) = limit.filter(|(minor, _)| *minor > 0) else { continue };
            let most = i128::from(to_micros(minor, currency));
            for percent in terms.alerts.iter().filter(|percent| open * 100 >= most * i128::from(**percent)) {
                let spent = i64::try_from(open).unwrap_or(i64::MAX) / to_micros(1, currency);
                let values = json!({
                    "month": id, "percent": percent, "spent_minor": spent, "limit_minor": minor,
                    "currency": currency, "is_cap": is_cap, "ends_at": rfc3339(month.end),
                });
                let reference = format!("{id}:{percent}");
                send_once(&mut desk.account, &mail_kinds::SPENDING_ALERT, &reference, &values)?;
            }
        }
    }
    Ok(())
}
