//! Records a business fact in the account, for campaigns that select accounts by it.

use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::records::campaign::Membership;

/// Records a business fact in the account's membership, for campaigns that select by it.
pub(crate) fn record_event(desk: &mut Desk<'_>, event: &str) -> Ruled<()> {
    if desk.catalog.settings()?.campaigns.is_none() {
        return Ok(());
    }
    let mut known = desk.account.row::<Membership>(Membership::ID)?.unwrap_or_default();
    if !known.events.iter().any(|known| known == event) {
        known.events.push(event.to_owned());
        desk.account.put(Membership::ID, known);
    }
    Ok(())
}
