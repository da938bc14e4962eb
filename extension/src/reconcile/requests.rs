//! Stores each request until its result is known, and sets the deadline after which its result counts as unknown. The result of a
//! deadline repeats the request (`rules::unknown_result`).

use crate::desk::Desk;
use crate::model::effect_kinds::{is_awaited, moves_money};
use crate::model::halt::Ruled;
use crate::model::records::requests::{OpenRequest, Requests};
use crate::model::time::{DAY_MS, HOUR_MS};

/// Milliseconds after which the result of a request that moves money counts as unknown: the money is neither offered nor paid
/// meanwhile.
const MONEY_WITHIN_MS: i64 = HOUR_MS;
/// The same for all other requests.
const OTHERS_WITHIN_MS: i64 = DAY_MS;
/// Maximum bytes of the stored payloads, so that the row stays small. A request that moves money is always stored; any
/// other that no longer fits is requested without a deadline.
const PAYLOADS_MAX: usize = 65_536;

/// Stores the decision's requests, and sets their deadlines. A request with a deadline of its own is left to its rule:
/// a request about a resource is derived again from the record of its instance.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    let before = desk.account.get::<Requests>(Requests::ID)?;
    let now = desk.now;
    let mut row = before.as_deref().cloned().unwrap_or_default();
    for key in desk.account.called_off_of(row.open.keys())? {
        row.open.remove(&key);
    }
    let mut bytes: usize = row.open.values().map(|request| request.payload.len()).sum();
    for effect in desk.account.asked_mut().filter(|it| it.deadline.is_none() && is_awaited(&it.kind)) {
        let is_money = moves_money(&effect.kind);
        bytes = bytes.saturating_add(effect.payload.len());
        if bytes > PAYLOADS_MAX && !is_money {
            continue;
        }
        let within = if is_money { MONEY_WITHIN_MS } else { OTHERS_WITHIN_MS };
        effect.deadline = Some(effect.not_before.unwrap_or(now).saturating_add(within));
        let known = row.open.entry(effect.key.clone()).or_default();
        *known = OpenRequest {
            kind: effect.kind.clone(),
            payload: effect.payload.clone(),
            context: effect.context.clone(),
            ordering_key: effect.ordering_key.clone(),
            requests: known.requests.saturating_add(1),
            told: known.told,
        };
    }
    if before.as_deref().unwrap_or(&Requests::default()) != &row {
        match row.open.is_empty() {
            true => desk.account.remove::<Requests>(Requests::ID),
            false => desk.account.put(Requests::ID, row),
        }
    }
    Ok(())
}
