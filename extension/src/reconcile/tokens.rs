//! Tokens end with their time, and with what they stand on.

use super::DesiredSchedule;
use crate::catalog::desk::Desk;
use crate::derive::standing::AccountStanding;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::records::token::{Token, TokenStatus};

/// Why a token counts no more when nothing grants it any more.
const ENDED: &str = "entitlement_ended";

/// End what is over, and look again when the next one is.
pub(super) fn reconcile(desk: &mut Desk<'_>, standing: &AccountStanding, desired: &mut DesiredSchedule) -> Ruled<()> {
    for (id, token) in desk.account.all::<Token>()? {
        if !token.is_live() {
            continue;
        }
        let ended = match (token.expires_at <= desk.now, standing.allows(&token.entitlement)) {
            (true, _) => (TokenStatus::Expired, None),
            (false, 0) => (TokenStatus::Revoked, Some(ENDED.to_owned())),
            (false, _) => {
                desired.timer(desk.now, TimerKey::Token { due: token.expires_at }, token.expires_at);
                continue;
            }
        };
        let (status, reason) = ended;
        desk.account.put(&id, Token { status, reason, ..Token::clone(&token) });
    }
    Ok(())
}
