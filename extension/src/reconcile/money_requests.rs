//! Stores each request that moves money until its result is known. After a deadline its result counts as unknown.

use crate::catalog::desk::Desk;
use crate::model::effects::moves_money;
use crate::model::halt::Ruled;
use crate::model::records::money_requests::{MoneyRequest, MoneyRequests};
use crate::model::time::HOUR_MS;

/// Milliseconds after which the result of a request counts as unknown.
const ANSWERED_WITHIN_MS: i64 = HOUR_MS;

/// Stores the decision's requests that move money, and sets their deadlines.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    let asked: Vec<_> = desk.account.asked_mut().filter(|effect| moves_money(&effect.kind)).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let mut new = Vec::new();
    for effect in asked {
        let begins = effect.not_before.unwrap_or(desk.now);
        effect.deadline = Some(begins.saturating_add(ANSWERED_WITHIN_MS));
        let request = MoneyRequest {
            kind: effect.kind.clone(),
            payload: effect.payload.clone(),
            context: effect.context.clone(),
            requests: effect.generation,
        };
        new.push((effect.key.clone(), request));
    }
    let mut row = desk.account.fetch::<MoneyRequests>(MoneyRequests::ID)?.unwrap_or_default();
    row.open.extend(new);
    desk.account.put(MoneyRequests::ID, row);
    Ok(())
}
