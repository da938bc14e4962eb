//! `customer.*`: claims a customer for its account. A deleted customer stays claimed, so that the host can place later
//! events about the customer.

use crate::desk::Desk;
use crate::input::stripe;
use crate::model::halt::Ruled;
use crate::model::keys::{ClaimKey, FactKey};
use crate::model::merge::customer::merge;
use crate::model::records::customer::Customer;
use extension_contract::{IgnoreReason, Outcome};

/// Decides an event.
pub(super) fn decide(desk: &mut Desk<'_>, object: &stripe::Customer<'_>) -> Ruled<Outcome> {
    let id = object.id.as_ref();
    let key = String::from(ClaimKey::Customer(id));
    let is_claimed = desk.account.claims_mine(&key)?.contains(&key);
    let is_deleted = desk.kind == "customer.deleted";
    let known = desk.account.row::<Customer>(id)?;
    let mut customer = known.clone().unwrap_or_default();
    merge(&mut customer, &Customer { deleted_at: is_deleted.then_some(desk.payment_time) });
    let was_deleted = known.as_ref().is_some_and(|known| known.deleted_at.is_some());
    if known.unwrap_or_default() != customer {
        desk.account.put(id, customer);
    }
    if is_deleted {
        let fact = FactKey::CustomerDeleted(id).to_string();
        if was_deleted {
            return Ok(Outcome::Duplicate(fact));
        }
        desk.account.record_new_fact(fact);
    } else if is_claimed {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    desk.account.claim([ClaimKey::Customer(id)])?;
    Ok(Outcome::Applied)
}
