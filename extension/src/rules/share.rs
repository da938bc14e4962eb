//! A share of a sale in another account: books the share in the account that earns it, once for each message about it.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::ledger::{DUE_FROM_SALES, EARNINGS, book};
use crate::model::message::Share;
use crate::model::records::earning::{Earned, Earning};
use crate::model::records::payouts::Payouts;
use extension_contract::Outcome;

/// Decides a message: the newest message about a sale replaces earlier messages.
pub(super) fn decide(desk: &mut Desk<'_>, share: &Share) -> Ruled<Outcome> {
    let before = desk.account.row::<Earning>(&share.sale)?.unwrap_or_default();
    if before.told >= share.told {
        return Ok(Outcome::Duplicate(format!("share:{}:{}", share.sale, share.told)));
    }
    let more = share.share_minor.saturating_sub(before.share_minor);
    let fact = FactKey::Earned { sale: &share.sale, told: share.told };
    book(&mut desk.account, fact, &share.sale, &share.currency, &[(DUE_FROM_SALES, more), (EARNINGS, -more)])?;
    // If the share is already available, the change applies to the available sum now. Other shares are added when they
    // become available.
    if before.available {
        let mut payouts = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
        payouts.add(&share.currency, more);
        desk.account.put(Payouts::ID, payouts);
    }
    let earning = Earning {
        product: share.product.clone(),
        kind: share.kind,
        currency: share.currency.clone(),
        at: share.at,
        available_at: share.available_at,
        gross_minor: share.gross_minor,
        back_minor: share.back_minor,
        share_minor: share.share_minor,
        told: share.told,
        available: before.available,
    };
    let mut earned = desk.account.row::<Earned>(&share.product)?.unwrap_or_default();
    earned.replace(&before, &earning);
    desk.account.put(&share.product, earned);
    desk.account.put(&share.sale, earning);
    Ok(Outcome::Applied)
}
