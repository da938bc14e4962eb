//! Finds names in expected states that the business does not have: entitlements, prices, metadata fields, records, resources, and the
//! members of each row.

use super::Names;
use super::events::PLAN_ALIASES;
use super::known::{Named, expected_members};
use crate::loaded::Loaded;
use host_business::yaml::{Entry, Node};
use host_scenario::error::BadInput;
use host_scenario::model::{COMMON_SECTIONS, SECTIONS};
use host_store::EffectState;

/// The members of the rows of each section that has rows with fixed members.
const MEMBERS: [(&str, &[&str]); 9] = [
    ("entitlements", &["allowed", "used", "resets_at", "ends_at", "sources"]),
    ("balances", &["available", "pending"]),
    ("effects", &["kind", "state", "attempts", "due", "payload"]),
    ("claims", &["holder", "until"]),
    ("outcomes", &["outcome", "reason", "account"]),
    ("inventory", &["account", "state", "outputs", "settings", "name"]),
    (
        "products",
        &["owner", "product_type", "name", "description", "active", "price", "interval", "filters", "metadata"],
    ),
    (
        "purchases",
        &[
            "provider",
            "session_id",
            "payment_intent_id",
            "subscription_id",
            "status",
            "items",
            "amount",
            "tax",
            "total",
            "refunded",
            "metadata",
        ],
    ),
    (
        "subscriptions",
        &[
            "customer_id",
            "status",
            "items",
            "cancel_at_period_end",
            "cancel_at",
            "trial_end",
            "grace_end",
            "snapshot",
            "metadata",
        ],
    ),
];
/// The states of effects.
const EFFECT_STATES: [&str; 4] = [
    EffectState::Queued.name(),
    EffectState::Running.name(),
    EffectState::Finished.name(),
    EffectState::Cancelled.name(),
];
/// The states of resources.
const RESOURCE_STATES: [&str; 2] = ["running", "suspended"];

impl Names {
    /// Returns the unknown names of all expected states of a scenario.
    pub(super) fn of_states(&self, document: &Node) -> Vec<BadInput> {
        let steps = document.member("events").and_then(Node::items).unwrap_or_default();
        let checks = steps.iter().filter_map(|step| step.member("check"));
        let mut found = Vec::new();
        for state in checks.chain(document.member("expect")) {
            self.of_state(state, &mut found);
            for account in state.member("accounts").and_then(Node::entries).unwrap_or_default() {
                self.of_state(&account.value, &mut found);
            }
        }
        found
    }

    fn of_state(&self, state: &Node, found: &mut Vec<BadInput>) {
        for section in state.entries().unwrap_or_default() {
            if !SECTIONS.contains(&section.key.as_str()) && !COMMON_SECTIONS.contains(&section.key.as_str()) {
                continue;
            }
            let members = MEMBERS.iter().find(|(name, _)| *name == section.key).map(|(_, members)| *members);
            for row in expected_members(&section.value) {
                found.extend(self.of_row(&section.key, row));
                for name in members.into_iter().flat_map(|_| expected_members(&row.value)) {
                    let what = format!("not a member of a row of `{}`", section.key);
                    found.extend(Named::key(name).unless(&what, members.unwrap_or_default().iter().copied()));
                }
            }
        }
    }

    /// Returns the unknown name of a row: its key, or a value in it.
    fn of_row(&self, section: &str, row: &Entry) -> Vec<BadInput> {
        let mut found = Vec::new();
        match section {
            "entitlements" => found.extend(self.entitlement(&Named::key(row))),
            "prices" if !self.changes_catalog => {
                found.extend(Named::key(row).unless("not a price of the catalog", names(&self.loaded.prices)));
            }
            "records" => found.extend(Named::key(row).unless("not a collection of records", names(&self.collections))),
            "products" if !self.changes_types => {
                let fields = Loaded::fields(self.loaded.types.iter());
                for (field, known) in expected_members(&row.value)
                    .iter()
                    .filter(|entry| entry.key == "metadata")
                    .flat_map(|metadata| expected_members(&metadata.value))
                    .filter_map(|field| Some((field, fields.as_ref()?)))
                {
                    let known = names(known).chain(PLAN_ALIASES);
                    found.extend(Named::key(field).unless("not a metadata field of the business", known));
                }
            }
            "effects" => {
                found.extend(state_of(row, &EFFECT_STATES));
                found.extend(self.effect_key(&Named::key(row)));
            }
            "inventory" => {
                found.extend(state_of(row, &RESOURCE_STATES));
                found.extend(self.resource(&Named::key(row)));
            }
            _ => {}
        }
        found
    }

    fn entitlement(&self, key: &Named<'_>) -> Option<BadInput> {
        let declared = key.name.split_once(':').map_or(key.name, |(before, _)| before);
        let is_known = [key.name, declared].iter().any(|name| self.entitlements.contains(*name));
        (!is_known).then(|| key.mistake("not an entitlement of the business", names(&self.entitlements)))
    }

    /// Checks the key of a resource: `RESOURCE:INSTANCE/ENTRY`.
    fn resource(&self, key: &Named<'_>) -> Option<BadInput> {
        let (resource, id) = key.name.split_once(':')?;
        if !self.resources.contains(resource) {
            return Some(
                Named { name: resource, ..key.clone() }
                    .mistake("not a resource of the business", names(&self.resources)),
            );
        }
        let (_, entry) = id.split_once('/')?;
        self.entry(&Named { name: entry, ..key.clone() })
    }
}

/// Checks the state of a row, which is the row itself or its member `state`.
fn state_of(row: &Entry, known: &[&str]) -> Option<BadInput> {
    let text = Named::text(&row.value).or_else(|| Named::text(row.value.member("state")?))?;
    if text.name == "any" { None } else { text.unless("not a state", known.iter().copied()) }
}

fn names(set: &std::collections::BTreeSet<String>) -> impl Iterator<Item = &str> {
    set.iter().map(String::as_str)
}
