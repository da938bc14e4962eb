//! Computes a fingerprint of everything in the account that determines the desired state of its instances. Instances
//! with another fingerprint are reconciled again.

use super::limits::Room;
use crate::catalog::entitlement::{EntitlementKind, declared};
use crate::derive::plans::LostPlan;
use crate::derive::standing::{AccountStanding, Allowance};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::json::short_hash;
use crate::model::records::summary::Summary;
use extension_contract::{CatalogKey, Timestamp};
use std::fmt::Write;

/// Returns the fingerprint of the data that an instance's reconciliation uses, except the instance and its purchase.
/// The fingerprint excludes the configuration: a changed configuration affects an instance only with the next event
/// that involves the instance.
pub(super) fn of(desk: &mut Desk<'_>, standing: &AccountStanding, room: &Room, summary: &Summary) -> Ruled<String> {
    let now = desk.now;
    let keys: Vec<CatalogKey> = standing
        .plans
        .values()
        .map(|plan| CatalogKey::Product(plan.product_id.to_string()))
        .chain(summary.types.keys().map(|name| CatalogKey::Product(crate::model::keys::type_row_id(name))))
        .collect();
    desk.catalog.load(&keys)?;
    let mut text = String::with_capacity(256);
    // Writing to a String can't fail.
    let _ = write!(text, "policies {}", desk.catalog.settings_version()?);
    for name in summary.types.keys() {
        let _ = write!(text, "|type {name} {}", desk.catalog.type_version(name)?);
    }
    for (family, plan) in &standing.plans {
        let version = desk.catalog.product(&plan.product_id)?.map_or(0, |row| row.version);
        let _ = write!(text, "|plan {family} {} {version} {:?}", plan.product_id, plan.subscription.as_deref());
    }
    // Flags do not affect resources.
    for (key, Allowance { amount, .. }) in &standing.allowed {
        let decl = declared(&standing.settings.entitlements, key);
        if decl.is_some_and(|decl| decl.kind != EntitlementKind::Flag) {
            let _ = write!(text, "|allowed {key} {amount}");
        }
    }
    for (family, lost) in &standing.lost {
        let LostPlan { at, subscription, product_id, is_final } = lost;
        let (product_id, stage) = (product_id.as_deref(), stage(standing, *at, now));
        let subscription = subscription.as_deref().unwrap_or("trial");
        let _ = write!(text, "|lost {family} {at} {subscription} {product_id:?} {is_final} {stage}");
    }
    if let Some(at) = standing.closed_at {
        let _ = write!(text, "|closed {at} {}", standing.settings.delete_after.after(at) <= now);
    }
    let is_over = room.over_due.is_some_and(|due| due <= now);
    for id in &room.beyond {
        let _ = write!(text, "|beyond {id}");
    }
    let _ = write!(text, "|over {} {is_over}", room.over_due.is_some());
    for (key, due) in &room.excess {
        let _ = write!(text, "|excess {key} {}", *due <= now);
    }
    Ok(short_hash(&text))
}

/// Returns the stage after the loss of a plan: 0 before archiving, 1 before termination, 2 after it.
fn stage(standing: &AccountStanding, lost_at: Timestamp, now: Timestamp) -> u8 {
    let archive = standing.settings.archive_after.after(lost_at);
    let terminate = standing.settings.delete_after.after(archive);
    u8::from(archive <= now) + u8::from(terminate <= now)
}
