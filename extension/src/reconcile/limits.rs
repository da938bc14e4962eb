//! Determines which instances and held amounts exceed the allowed amounts, and when they are suspended.

use super::schedule::DesiredSchedule;
use crate::derive::standing::{AccountStanding, UNLIMITED};
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::InstanceRecord;
use crate::model::records::operator_grants::OperatorGrants;
use crate::model::records::summary::Summary;
use crate::model::time::rfc3339;
use extension_contract::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The account's instances and held amounts beyond the allowed amounts.
#[derive(Default)]
pub(super) struct Room {
    /// Ids of the instances beyond the allowed amounts.
    pub beyond: BTreeSet<String>,
    /// Time at which these instances are suspended; `None` if there are none, or if no plan is in force.
    pub over_due: Option<Timestamp>,
    /// Exceeded entitlements, with the time at which the instances that hold them are suspended.
    pub excess: BTreeMap<String, Timestamp>,
}

/// Computes the excess, notifies the owner, and schedules the timers.
pub(super) fn room(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<Room> {
    let granted = desk.account.get_here::<OperatorGrants>(OperatorGrants::ID)?;
    for due in granted.iter().flat_map(|granted| granted.0.values()).filter_map(|grant| grant.until) {
        desired.timer(desk.now, TimerKey::GrantEnds { due }, due);
    }
    let Some(summary) = desk.account.get::<Summary>(Summary::ID)? else { return Ok(Room::default()) };
    let mut room = Room { beyond: BTreeSet::new(), over_due: None, excess: excess(desk, standing, &summary, desired)? };
    let fits = summary.consumed.iter().all(|(key, used)| standing.has_room(key, *used));
    if fits || !is_relevant(desk, standing, &summary)? {
        return Ok(room);
    }
    let beyond = beyond(desk, standing)?;
    room.over_due = over_limit(desk, standing, &beyond, desired)?;
    room.beyond = beyond.into_iter().map(|(id, _)| id).collect();
    Ok(room)
}

/// Returns whether the excess is relevant for any instance. Instances with a lost plan are suspended anyway.
fn is_relevant(desk: &Desk<'_>, standing: &AccountStanding, summary: &Summary) -> Ruled<bool> {
    for name in summary.types.keys() {
        let link = desk.catalog.type_named(name)?.and_then(|decl| decl.plan.clone());
        if link.is_none_or(|link| standing.plans.contains_key(&link.family)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the instances beyond the allowed amounts. Instances that the owner chose to keep are counted first, the
/// latest choice before earlier choices, then the oldest instances.
fn beyond(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<Vec<(String, Rc<InstanceRecord>)>> {
    let InstanceRows(mut rows) = InstanceRows::read(desk)?;
    rows.sort_by(|(a_id, a), (b_id, b)| b.kept_at.cmp(&a.kept_at).then((a.made_at, a_id).cmp(&(b.made_at, b_id))));
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    rows.retain(|(_, record)| {
        let mut fits = true;
        for (key, amount) in &record.adds.consumed {
            let sum = counted.entry(key.clone()).or_insert(0);
            *sum = sum.saturating_add(*amount);
            fits &= standing.has_room(key, *sum);
        }
        !fits
    });
    Ok(rows)
}

/// The records of all instances of the account.
struct InstanceRows(Vec<(String, Rc<InstanceRecord>)>);

impl InstanceRows {
    fn read(desk: &mut Desk<'_>) -> Ruled<InstanceRows> {
        desk.account.load_whole(InstanceRecord::COLLECTION)?;
        Ok(InstanceRows(desk.account.all::<InstanceRecord>()?))
    }
}

/// Notifies the owner that the consumed amounts exceed the plan, and returns when instances are suspended.
fn over_limit(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    beyond: &[(String, Rc<InstanceRecord>)],
    desired: &mut DesiredSchedule,
) -> Ruled<Option<Timestamp>> {
    // The waiting time begins when the account lost the higher allowance: the previous plan of any family, or an add-on. No
    // instance was beyond before it was made.
    let mut plan = None;
    let mut since = standing.plans.values().map(|plan| plan.no_more_since).max().unwrap_or(Timestamp::MIN);
    for (_, record) in beyond {
        let link = desk.catalog.type_named(&record.product_type)?.and_then(|decl| decl.plan.clone());
        let of_family = |family: &str| link.as_ref().is_none_or(|link| link.family == family);
        plan = plan.or_else(|| Some(standing.plans.iter().find(|(family, _)| of_family(family))?.1));
        let lost = record.adds.consumed.keys().filter_map(|key| standing.grants_lost.get(key)).copied().max();
        since = since.max(record.made_at).max(lost.unwrap_or(since));
    }
    let Some(plan) = plan else { return Ok(None) };
    let due = standing.settings.over_limit.after(since);
    desired.timer(desk.now, TimerKey::OverLimit { due }, due);
    let ids: Vec<&String> = beyond.iter().map(|(id, _)| id).collect();
    let values = json!({"plan": plan.product_id, "beyond": ids, "until": rfc3339(due)});
    let reference = format!("{}:{since}", plan.price_id.as_deref().unwrap_or(&plan.product_id));
    send_once(&mut desk.account, &mail_kinds::OVER_LIMIT, &reference, &values)?;
    Ok(Some(due))
}

/// Notifies the owner that held amounts exceed the plan, and returns by entitlement when instances are suspended. Until
/// then the resources refuse writes.
fn excess(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    summary: &Summary,
    desired: &mut DesiredSchedule,
) -> Ruled<BTreeMap<String, Timestamp>> {
    let mut found = BTreeMap::new();
    for (key, held) in &summary.held {
        let allowed = standing.allows(key);
        if allowed == UNLIMITED || *held <= allowed {
            continue;
        }
        let grants = |plan: &&crate::derive::plans::PlanInForce| plan.grants.iter().any(|grant| grant.key == *key);
        let Some(plan) = standing.plans.values().find(grants).or_else(|| standing.plans.values().next()) else {
            continue;
        };
        // The excess began with a measurement, or with a reduction of the allowed amount.
        let measured = summary.excess.get(key).into_iter().chain(standing.grants_lost.get(key));
        let since = measured.fold(plan.no_more_since, |since, at| since.max(*at));
        let due = standing.settings.over_limit.after(since);
        desired.timer(desk.now, TimerKey::OverLimit { due }, due);
        let values = json!({"plan": plan.product_id, "key": key, "used": held, "allowed": allowed,
            "until": rfc3339(due)});
        let reference = format!("{}:{since}:{key}", plan.price_id.as_deref().unwrap_or(&plan.product_id));
        send_once(&mut desk.account, &mail_kinds::OVER_LIMIT, &reference, &values)?;
        found.insert(key.clone(), due);
    }
    Ok(found)
}
