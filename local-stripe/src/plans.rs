//! Plans, the legacy form of recurring prices. Every change to a recurring price emits `price.*` and `plan.*`.

use crate::model::price::plan_of;
use crate::object::Object;
use crate::state::State;

/// Returns the plan of a price, if the price is recurring.
pub fn of(price: &Object) -> Option<Object> {
    let plan = plan_of(&price.value());
    plan.is_object().then(|| Object::of(plan))
}

/// Emits `price.{what}` and, for a recurring price, `plan.{what}`; `what` is `created` or `deleted`.
pub fn emit_event(st: &mut State, what: &str, price: &Object) {
    st.emit(&format!("price.{what}"), price);
    if let Some(plan) = of(price) {
        st.emit(&format!("plan.{what}"), &plan);
    }
}

/// Changes a price and emits the events of the price and of its plan.
pub fn change(st: &mut State, id: &str, edit: impl FnOnce(&mut Object)) -> Object {
    let before = of(&st.copy(id));
    let price = st.change_and_emit(id, "price.updated", edit);
    let after = of(&price);
    if before != after
        && let Some(after) = after
    {
        st.emit_with("plan.updated", &after, before);
    }
    Object::clone(&price)
}
