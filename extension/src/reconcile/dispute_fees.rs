//! Fees of disputes: each movement of our money that has one is booked by itself, so that a fee that comes back, or a second
//! one, is an entry of its own, whichever is told first.

use crate::catalog::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::ledger::{CASH, FEES, book};
use crate::model::records::dispute::Dispute;

/// Book what the disputes that this event changed say of fees and is not booked.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<Dispute>() {
        let Some(dispute) = desk.account.get::<Dispute>(&id)? else { continue };
        for (movement, fees) in &dispute.fees {
            for (currency, fee) in fees {
                let sides = [(FEES, *fee), (CASH, -fee)];
                book(&mut desk.account, FactKey::DisputeFee(movement), &id, currency, &sides)?;
            }
        }
    }
    Ok(())
}
