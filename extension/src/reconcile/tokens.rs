//! Ends tokens that have expired or whose entitlement was lost.

use super::schedule::DesiredSchedule;
use crate::derive::standing::AccountStanding;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::records::token::{Token, TokenStatus};

/// Reason of a token that is revoked because its entitlement ended.
const ENDED: &str = "entitlement_ended";

/// Ends the tokens that are due, and sets timers for the other tokens.
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
