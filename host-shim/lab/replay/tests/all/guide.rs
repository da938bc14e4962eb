//! The table of commands is complete.

use extension_contract::Extension;
use instance_provisioner::Provisioner;
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn every_command_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let text = fs::read_to_string(root.join("docs/reference/commands.md")).expect("the table");
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let commands = Provisioner.declare().commands;
    assert!(commands.len() > 20, "{} commands", commands.len());
    for command in commands {
        let row = table.iter().find(|row| row.contains(&format!("`{}`", command.kind)));
        let row = row.unwrap_or_else(|| panic!("{} is in no row", command.kind));
        let schema: Value = serde_json::from_str(&command.schema).expect("a schema");
        for member in schema["required"].as_array().expect("members") {
            let member = member.as_str().expect("a name");
            // The members of product commands depend on the product type, so the table does not list them.
            let is_products = command.kind.starts_with("product.");
            assert!(is_products || row.contains(&format!("`{member}`")), "{}: no `{member}`", command.kind);
        }
    }
}
