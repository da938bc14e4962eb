//! Books the fees of disputes. Each balance transaction with a fee is one entry, so returned and repeated fees are
//! separate entries in any order of events.

use super::ledger::is_in_books;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::ledger::{CASH, FEES, book};
use crate::model::records::dispute::Dispute;

/// Books the unbooked fees of the disputes that this event changed.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for id in desk.account.touched::<Dispute>() {
        let Some(dispute) = desk.account.get::<Dispute>(&id)? else { continue };
        if !is_in_books(desk, &dispute)? {
            continue;
        }
        for (movement, fees) in &dispute.fees {
            for (currency, fee) in fees {
                let sides = [(FEES, *fee), (CASH, -fee)];
                book(&mut desk.account, FactKey::DisputeFee(movement), &id, currency, &sides)?;
            }
        }
    }
    Ok(())
}
