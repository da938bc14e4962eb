//! Customer balances, which invoices credit and debit.

use serde_json::{Value, json};

use crate::model;
use crate::object::Object;
use crate::state::State;

/// Adds an amount to a customer's balance and returns the recorded transaction.
pub fn move_balance(st: &mut State, customer: &str, amount: i64, kind: &str, invoice: Option<&str>) -> Object {
    let id = st.new_id("cbtxn");
    let changed = st.change_and_emit(customer, "customer.updated", |c| c.set("balance", c.int("balance") + amount));
    let mut movement =
        model::customer::balance_movement(id, st.now(&changed), &changed, amount, changed.int("balance"), kind);
    movement.set("invoice", invoice.map_or(Value::Null, |i| json!(i)));
    let movement = st.put(movement);
    Object::clone(&movement)
}
