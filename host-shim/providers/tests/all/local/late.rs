//! Tests of late resources: a provider made them after a person had made others, and nobody needs them.

use super::Machine;
use serde_json::{Value, json};

/// Returns whether the database exists, as its provider sees it.
fn exists(machine: &Machine) -> Value {
    machine.done("u1", "inst_1/database/observe", "database.observe", 1, json!({}))["exists"].clone()
}

fn ensure(machine: &Machine, generation: u32) -> Value {
    let payload = json!({"name": "db", "quota_gb": 1});
    machine.done("u1", "inst_1/database/ensure", "database.ensure", generation, payload)
}

/// Destroys what the creation with this generation has made late.
fn destroy_late(machine: &Machine, generation: u32, outputs: &Value) -> Value {
    let key = format!("inst_1/database@late-{generation}/destroy");
    machine.done("u1", &key, "database.destroy", 1, json!({"outputs": outputs}))
}

#[test]
fn a_late_database_is_found_by_the_id_under_which_it_was_made_and_destroyed() {
    let machine = Machine::new();
    let outputs = ensure(&machine, 1);
    assert_eq!(exists(&machine), json!(true));
    destroy_late(&machine, 1, &outputs);
    assert_eq!(exists(&machine), json!(false));
    assert_eq!(destroy_late(&machine, 1, &outputs), json!({}), "a repeated call finds nothing");
}

#[test]
fn a_database_that_is_in_use_again_is_no_late_one() {
    let machine = Machine::new();
    let outputs = ensure(&machine, 1);
    ensure(&machine, 2);
    destroy_late(&machine, 1, &outputs);
    assert_eq!(exists(&machine), json!(true));
}
