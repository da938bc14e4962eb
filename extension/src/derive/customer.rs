//! Finds the account's customer at Stripe.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::CUSTOMER_CLAIMS;
use crate::model::records::customer::Customer;
use crate::model::records::subscription::SubscriptionRow;
use std::collections::BTreeSet;

/// Returns the account's customer for new sales and the portal: of the customers that are not deleted, the first by id that has a
/// subscription which has not ended, or else the first by id.
pub(crate) fn customer(desk: &mut Desk<'_>) -> Ruled<Option<String>> {
    let living = desk.account.all::<SubscriptionRow>()?.into_iter().filter(|(_, row)| !row.is_final());
    let paying: BTreeSet<String> = living.map(|(_, row)| row.customer_id.clone()).collect();
    let mut first = None;
    for key in desk.account.claims_mine(CUSTOMER_CLAIMS)? {
        let Some(id) = key.strip_prefix(CUSTOMER_CLAIMS) else { continue };
        let is_deleted = desk.account.get::<Customer>(id)?.is_some_and(|customer| customer.deleted_at.is_some());
        if is_deleted {
            continue;
        }
        if paying.contains(id) {
            return Ok(Some(id.to_owned()));
        }
        first.get_or_insert_with(|| id.to_owned());
    }
    Ok(first)
}
