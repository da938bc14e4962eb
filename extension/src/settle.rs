//! After every change: what follows from where the account stands now.
//!
//! Reads the merged rows, computes entitlements, brings instances, timers and later mails to what they should be. Runs
//! at the event's time; a timer is nothing but a reason to run it again.

use crate::context::{Context, Step};
use crate::entitlement::{self, Standing};
use crate::schedule::{self, Wanted};
use crate::time::{plus_days, rfc3339};
use crate::{instance, notice};
use products_contract::*;
use serde_json::json;

/// Bring the account to where it should stand. Returns whether anything but a schedule changed.
pub(crate) fn settle(context: &mut Context<'_, '_>) -> Step<bool> {
    let settings = context.settings()?;
    let now = context.now;
    let standing = entitlement::standing(context.host, &settings, now)?;
    let mut wanted = Wanted::default();
    let mut changed = false;
    for view in &standing.views {
        changed |= grace(context, view, &settings, &mut wanted)?;
    }
    changed |= instance::reconcile(context, &standing, &settings, &mut wanted)?;
    schedule::bring(context, wanted)?;
    Ok(changed)
}

/// Grace of one subscription: when it ends, and the mails on the way.
fn grace(
    context: &mut Context<'_, '_>,
    view: &entitlement::View,
    settings: &crate::catalog::Settings,
    wanted: &mut Wanted,
) -> Step<bool> {
    let id = &view.row.id;
    let now = context.now;
    if let Some(end) = view.grace_end {
        let start = end - i64::from(settings.grace_days) * crate::time::DAY_MS;
        wanted.timer(now, format!("grace:{id}:{end}"), end);
        let values = json!({"subscription": id, "grace_end": rfc3339(end)});
        // The moment of the failure may still move, since views and failures arrive in any order; the period doesn't.
        let period = view.row.values.items.first().map_or(0, |item| item.period_start);
        for day in &settings.dunning_days {
            let reference = format!("{id}:{period}:{day}");
            if *day == 0 {
                notice::now(context, "payment_failed", notice::To::Account, &reference, &values)?;
            } else {
                let at = plus_days(start, *day);
                wanted.mail(now, "payment_failed", notice::To::Account, &reference, at, values.clone());
            }
        }
    }
    if view.row.values.grace_end == view.grace_end {
        return Ok(false);
    }
    let values = SubscriptionValues { grace_end: view.grace_end, ..view.row.values.clone() };
    context.host.subscription_save(id, view.row.version, &values)?;
    Ok(true)
}

/// A timer is due: settle. One that finds nothing to do came too late.
pub(crate) fn timer(context: &mut Context<'_, '_>, delivery: &Delivery) -> Step<Outcome> {
    let forced = instance::timer(context, &delivery.key)?;
    if settle(context)? || forced {
        return Ok(Outcome::Applied);
    }
    Ok(Outcome::Ignored(IgnoreReason::NoChange))
}

/// Where the account stands at the event's time.
pub(crate) fn standing(context: &mut Context<'_, '_>) -> Step<Standing> {
    let settings = context.settings()?;
    Ok(entitlement::standing(context.host, &settings, context.now)?)
}
