//! A share of a sale in another account: booked where it is earned, once for each thing that is told of it.

use crate::catalog::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::ledger::{DUE_FROM_SALES, EARNINGS, book};
use crate::model::message::Share;
use crate::model::records::earned::Earned;
use crate::model::records::earning::Earning;
use crate::model::records::payouts::Payouts;
use extension_contract::Outcome;

/// Decide a message: the newest thing that is told of a sale replaces the others.
pub(super) fn decide(desk: &mut Desk<'_>, told: &Share) -> Ruled<Outcome> {
    let before = desk.account.fetch::<Earning>(&told.sale)?.unwrap_or_default();
    if before.told >= told.told {
        return Ok(Outcome::Duplicate(format!("share:{}:{}", told.sale, told.told)));
    }
    let more = told.share_minor.saturating_sub(before.share_minor);
    let fact = FactKey::Earned { sale: &told.sale, told: told.told };
    book(&mut desk.account, fact, &told.sale, &told.currency, &[(DUE_FROM_SALES, more), (EARNINGS, -more)])?;
    // What can be paid out already changes the sum; what can't be comes into it whole.
    if before.available {
        let mut payouts = desk.account.fetch::<Payouts>(Payouts::ID)?.unwrap_or_default();
        payouts.add(&told.currency, more);
        desk.account.put(Payouts::ID, payouts);
    }
    let earning = Earning {
        product: told.product.clone(),
        kind: told.kind,
        currency: told.currency.clone(),
        at: told.at,
        available_at: told.available_at,
        gross_minor: told.gross_minor,
        back_minor: told.back_minor,
        share_minor: told.share_minor,
        told: told.told,
        available: before.available,
    };
    let mut earned = desk.account.fetch::<Earned>(&told.product)?.unwrap_or_default();
    earned.replace(&before, &earning);
    desk.account.put(&told.product, earned);
    desk.account.put(&told.sale, earning);
    Ok(Outcome::Applied)
}
