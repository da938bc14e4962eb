//! Limits how many sessions of a payment link can be completed.

use std::sync::Arc;

use crate::object::Object;
use crate::state::State;

/// Whether as many sessions of a link are complete as it allows.
pub fn is_used_up(link: &Object) -> bool {
    let limit = link.int_at("restrictions.completed_sessions.limit");
    limit.is_some_and(|limit| link.int_at("restrictions.completed_sessions.count").unwrap_or_default() >= limit)
}

/// Counts a completed session of a link. After the last one that the link allows, the link becomes inactive, and its
/// other open sessions expire.
pub fn count(st: &mut State, session: &Object) {
    let Some(id) = session.text_at("payment_link") else { return };
    let Ok(link) = st.find(id) else { return };
    if link.at("restrictions.completed_sessions").is_null() {
        return;
    }
    let changed = st.change_and_emit(id, "payment_link.updated", |link| {
        let count = link.int_at("restrictions.completed_sessions.count").unwrap_or_default() + 1;
        link.set_at("restrictions.completed_sessions.count", count);
        if is_used_up(link) {
            link.set("active", false);
        }
    });
    if !is_used_up(&changed) {
        return;
    }
    let is_open = |s: &Arc<Object>| s.text("payment_link") == id && s.text("status") == "open";
    let open: Vec<String> =
        st.newest("checkout.session", None).filter(is_open).map(|session| session.id().to_owned()).collect();
    for session in open {
        super::expire(st, &session);
    }
}
