//! The purchase that an instance belongs to.

use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::records::purchase::PurchaseRow;

/// Returns the purchase that an instance waits or waited for.
pub(super) fn purchase_of(desk: &mut Desk<'_>, instance: &Instance) -> Ruled<Option<PurchaseRow>> {
    match instance.text("purchase_id").map(str::to_owned) {
        Some(id) => desk.account.row::<PurchaseRow>(&id),
        None => Ok(None),
    }
}
