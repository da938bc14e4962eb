//! Finds the account's customer at the payment provider.

use crate::catalog::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::CUSTOMER_CLAIMS;
use crate::model::records::customer::Customer;

/// Returns the account's customer for new sales: of the customers that are not deleted, the first by id.
pub(crate) fn customer(desk: &mut Desk<'_>) -> Ruled<Option<String>> {
    for key in desk.account.claims_mine(CUSTOMER_CLAIMS)? {
        let Some(id) = key.strip_prefix(CUSTOMER_CLAIMS) else { continue };
        let is_deleted = desk.account.get::<Customer>(id)?.is_some_and(|customer| customer.deleted_at.is_some());
        if !is_deleted {
            return Ok(Some(id.to_owned()));
        }
    }
    Ok(None)
}
