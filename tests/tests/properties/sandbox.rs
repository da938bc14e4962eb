use super::support::{cases, played};
use end_to_end::sandbox::{Customer, a_step};
use end_to_end::story::VERSIONS;
use end_to_end::world::World;
use proptest::prelude::*;
use serde_json::Value;

/// The rows of a table of all accounts.
fn rows<'d>(document: &'d Value, pointer: &str) -> Vec<&'d Value> {
    let accounts = document["accounts"].as_array().into_iter().flatten();
    accounts.filter_map(|account| account.pointer(pointer)?.as_array()).flatten().collect()
}

/// What the ledger says that Stripe holds for us, in minor units.
fn cash(document: &Value) -> i64 {
    let entries = rows(document, "/records/ledger");
    let postings = entries.iter().filter_map(|entry| entry["value"]["postings"].as_array()).flatten();
    postings.filter(|posting| posting["account"] == "cash:stripe").filter_map(|p| p["amount_minor"].as_i64()).sum()
}

/// The extension knows what Stripe knows: the status of each subscription, and the money.
fn knows(customer: &Customer, world: &World) -> Result<(), String> {
    let failed = world.reports.iter().find(|report| matches!(report.result.name(), "failed" | "rejected"));
    if let Some(report) = failed {
        let (name, reason) = (report.result.name(), report.result.reason().unwrap_or_default());
        return Err(format!("{} {} was {name}: {reason}", report.kind, report.event_id));
    }
    let document = world.document();
    let known = rows(&document, "/subscriptions");
    for (id, status) in customer.statuses() {
        let found = known.iter().find(|row| row["id"] == id.as_str()).map(|row| &row["status"]);
        if found != Some(&Value::from(status.as_str())) {
            return Err(format!("{id} is {status} at Stripe, and {found:?} here"));
        }
    }
    match (customer.takings(), cash(&document)) {
        (theirs, ours) if theirs == ours => Ok(()),
        (theirs, ours) => Err(format!("Stripe took {theirs}, the ledger has {ours}")),
    }
}

proptest! {
    #![proptest_config(cases(24))]

    /// What the local Stripe tells of a customer's steps leaves the extension with the same, in every API version.
    #[test]
    fn what_stripe_tells_is_known(steps in proptest::collection::vec(a_step(), 1..10)) {
        let customer = Customer::after(&steps);
        for version in VERSIONS {
            let law = knows(&customer, &played(&customer.told_in(version)));
            law.map_err(|problem| TestCaseError::fail(format!("{version}: {problem}")))?;
        }
    }
}
