//! Updates a complete session after the bank's decision on its debit.

use crate::state::State;

/// Records that the bank accepted the debit of a complete session.
pub fn accepted(st: &mut State, id: &str) {
    let paid = st.change(id, |s| s.set("payment_status", "paid"));
    st.emit("checkout.session.async_payment_succeeded", &paid);
}

/// Records that the bank refused the debit of a complete session.
pub fn refused(st: &mut State, id: &str) {
    let Ok(session) = st.find(id) else { return };
    st.emit("checkout.session.async_payment_failed", &session);
}
