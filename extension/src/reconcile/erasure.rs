//! Erases the personal data of a closed account when its retention ends: product names, fields declared
//! `personal`, IP addresses, the addresses of buyers, cards, what customers wrote when they left and operators wrote about trials and
//! grants, and, in the host, all payloads of events and effects. Ids, amounts and times remain.

use super::schedule::DesiredSchedule;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::effect::{request, timer};
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::{EffectKey, TimerKey};
use crate::model::records::closed::{Closed, Erased};
use crate::model::records::instance::{InstanceRecord, InstanceStatus};
use crate::model::records::lot::{Given, Lot};
use crate::model::records::operator_grants::OperatorGrants;
use crate::model::records::payment::Payment;
use crate::model::records::product::ProductRow;
use crate::model::records::record_key;
use crate::model::records::session::Session;
use crate::model::records::sign_up_trial::SignUpTrialRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::subscription_history::BillingHistory;
use crate::model::records::token::Access;
use extension_contract::{ProductValues, RowKind};
use serde_json::json;
use std::rc::Rc;

/// Maximum number of rows that one decision processes; a timer continues with the rest.
const PAGE: u32 = 100;

/// Progress of the erasure within a kind of rows.
enum Progress {
    /// All rows of the kind are processed.
    End,
    /// All rows up to this id are processed, and there are more.
    Row(String),
    /// The row after this id belongs to an instance that has not ended. The erasure continues when the instance has
    /// ended.
    BlockedAfter(Option<String>),
}

/// Erases the personal data if it is due.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    let Some(after) = standing.settings.erase_after else { return Ok(()) };
    let Some(closed) = desk.account.row::<Closed>(Closed::ID)? else { return Ok(()) };
    let due = after.after(closed.at);
    if due > desk.now {
        desired.timer(desk.now, TimerKey::Erase { due }, due);
        return Ok(());
    }
    let (erased, has_more) = match closed.erased.clone() {
        Erased::All => return Ok(()),
        Erased::Products { reached } => match products(desk, reached)? {
            Progress::End => (Erased::Accesses { reached: None }, true),
            Progress::Row(id) => (Erased::Products { reached: Some(id) }, true),
            Progress::BlockedAfter(reached) => (Erased::Products { reached }, false),
        },
        Erased::Accesses { reached } => match accesses(desk, reached)? {
            Progress::Row(id) => (Erased::Accesses { reached: Some(id) }, true),
            Progress::End | Progress::BlockedAfter(_) => after_sessions(desk, standing, None)?,
        },
        Erased::Sessions { reached } => after_sessions(desk, standing, reached)?,
        Erased::Payments { reached } => after_payments(desk, standing, reached)?,
        Erased::Subscriptions { reached } => after_subscriptions(desk, standing, reached)?,
    };
    if erased == Erased::All {
        desk.account.ask(request(&EffectKey::Erase, &json!({}), None)?);
    }
    if has_more {
        let key = TimerKey::Continue { asked_by: desk.event_hash() };
        if !desk.account.asks_for(&key.to_string()) {
            desk.account.ask(timer(key, desk.now)?);
        }
    }
    if erased != closed.erased {
        desk.account.put(Closed::ID, Closed { erased, ..closed });
    }
    Ok(())
}

/// Returns the progress after a page of rows.
fn progress_after(ids: &[String]) -> Progress {
    match ids.last() {
        Some(id) if ids.len() == PAGE as usize => Progress::Row(id.clone()),
        _ => Progress::End,
    }
}

/// Removes the personal data of products, up to the first instance that is not terminated. Ids and other data remain.
fn products(desk: &mut Desk<'_>, reached: Option<String>) -> Ruled<Progress> {
    let ids = desk.account.page(RowKind::Product, reached.clone(), PAGE)?;
    desk.account.load::<InstanceRecord>(&ids)?;
    let mut last = reached;
    for id in &ids {
        let Some(row) = desk.account.get::<ProductRow>(id)? else { continue };
        let (values, metadata) = row.parts(id)?;
        let status = desk.account.get::<InstanceRecord>(id)?.and_then(|record| record.state.status());
        if status.is_some_and(|status| status != InstanceStatus::Terminated) {
            return Ok(Progress::BlockedAfter(last));
        }
        let mut metadata = Object::clone(&metadata);
        if let Some(decl) = desk.catalog.type_named(&values.product_type)? {
            let personal = decl.fields.iter().filter(|field| field.personal);
            personal.for_each(|field| drop(metadata.remove(&field.name)));
        }
        let values = ProductValues { name: id.clone(), description: String::new(), ..ProductValues::clone(&values) };
        desk.account.put(id, ProductRow::with(values.into(), metadata.into()));
        last = Some(id.clone());
    }
    Ok(progress_after(&ids))
}

/// Removes what buyers wrote from the checkouts. Returns the progress, and whether there is more to do.
fn after_sessions(desk: &mut Desk<'_>, standing: &AccountStanding, reached: Option<String>) -> Ruled<(Erased, bool)> {
    let ids = desk.account.page(record_key(Session::COLLECTION, "").kind(), reached, PAGE)?;
    for id in &ids {
        let Some(session) = desk.account.get::<Session>(id)?.filter(|session| session.made_with.is_some()) else {
            continue;
        };
        desk.account.put(id, Session { made_with: None, ..session.as_ref().clone() });
    }
    match progress_after(&ids) {
        Progress::Row(id) => Ok((Erased::Sessions { reached: Some(id) }, true)),
        Progress::End | Progress::BlockedAfter(_) => after_payments(desk, standing, None),
    }
}

/// Removes the cards and Stripe's receipts from the payments. Returns the progress, and whether there is more to do.
fn after_payments(desk: &mut Desk<'_>, standing: &AccountStanding, reached: Option<String>) -> Ruled<(Erased, bool)> {
    let ids = desk.account.page(record_key(Payment::COLLECTION, "").kind(), reached, PAGE)?;
    for id in &ids {
        let is_personal = |payment: &Rc<Payment>| payment.card.is_some() || payment.receipt_url.is_some();
        let Some(payment) = desk.account.get::<Payment>(id)?.filter(is_personal) else { continue };
        desk.account.put(id, Payment { card: None, receipt_url: None, ..Payment::clone(&payment) });
    }
    match progress_after(&ids) {
        Progress::Row(id) => Ok((Erased::Payments { reached: Some(id) }, true)),
        Progress::End | Progress::BlockedAfter(_) => after_subscriptions(desk, standing, None),
    }
}

/// Removes what the customer wrote about the end of subscriptions, and what operators wrote about trials. Declared reasons remain.
/// Returns the progress, and whether there is more to do.
fn after_subscriptions(
    desk: &mut Desk<'_>,
    standing: &AccountStanding,
    reached: Option<String>,
) -> Ruled<(Erased, bool)> {
    let ids = desk.account.page(RowKind::Subscription, reached, PAGE)?;
    for id in &ids {
        let Some(row) = desk.account.get::<SubscriptionRow>(id)? else { continue };
        let mut erased = SubscriptionRow::clone(&row);
        if let Some(asked) = &mut erased.asked {
            asked.because.comment = None;
            asked.because.reason.take_if(|reason| !standing.settings.cancel_reasons.contains(reason));
        }
        for view in &mut erased.views {
            view.state.said.comment = None;
            view.previous.iter_mut().filter_map(|previous| previous.said.as_mut()).for_each(|said| said.comment = None);
        }
        if erased != *row {
            desk.account.put(id, erased);
        }
        if let Some(mut billing) = desk.account.row::<BillingHistory>(id)?.filter(|row| !row.trial_changes.is_empty()) {
            billing.trial_changes.iter_mut().for_each(|change| change.reason = None);
            desk.account.put(id, billing);
        }
    }
    if let Progress::Row(id) = progress_after(&ids) {
        return Ok((Erased::Subscriptions { reached: Some(id) }, true));
    }
    if let Some(mut trial) = desk.account.row::<SignUpTrialRow>(SignUpTrialRow::ID)? {
        trial.changes.iter_mut().for_each(|change| change.reason = None);
        desk.account.put(SignUpTrialRow::ID, trial);
    }
    if let Some(mut granted) = desk.account.row::<OperatorGrants>(OperatorGrants::ID)? {
        granted.0.values_mut().for_each(|grant| grant.reason = None);
        desk.account.put(OperatorGrants::ID, granted);
    }
    desk.account.load_whole(Lot::COLLECTION)?;
    for (id, lot) in desk.account.all_where(|lot: &Lot| lot.given.as_ref().is_some_and(|of| of.reason.is_some()))? {
        let without_reason = |given: &Given| Given { reason: None, ..given.clone() };
        let (given, ended) = (lot.given.as_ref().map(without_reason), lot.ended.as_ref().map(without_reason));
        desk.account.put(&id, Lot { given, ended, ..Lot::clone(&lot) });
    }
    Ok((Erased::All, false))
}

/// Removes the IP addresses from the access log.
fn accesses(desk: &mut Desk<'_>, reached: Option<String>) -> Ruled<Progress> {
    let ids = desk.account.page(record_key(Access::COLLECTION, "").kind(), reached, PAGE)?;
    for id in &ids {
        let Some(access) = desk.account.get::<Access>(id)?.filter(|access| access.ip.is_some()) else { continue };
        desk.account.put(id, Access { ip: None, ..access.as_ref().clone() });
    }
    Ok(progress_after(&ids))
}
