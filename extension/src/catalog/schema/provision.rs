//! The clause `provisions`: resources and steps, their order, and manual tasks for work that no provider does.

use super::field::Field;
use crate::catalog::condition::Condition;
use crate::catalog::span::{Span, TextVisitor};
use crate::model::correlation::Verb;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What happens to a resource when its instance is archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnArchive {
    /// The resource is destroyed.
    #[default]
    Free,
    /// The resource is kept, because it contains the data.
    Keep,
}

/// A resource or a step in the provisioning of a product.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Name within the product, for example `compute`.
    pub name: String,
    /// Resource in effect kinds, for example `function`; `None` for a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Effect of a step, for example `database.seed`. The step runs once; it is not undone, and a restore does not
    /// repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Names of the entries that must be completed first. `with` can use the outputs of these entries and of their
    /// predecessors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Entitlement against which the resource's contents count. While the entitlement is exceeded, the resource refuses
    /// writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// Without this configuration value (`config.KEY`), the entry is left out, or becomes a manual task.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Payload of the entry's effects, with placeholders.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// A template. When its value changes, a new resource replaces the old resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Keys of the product's `metadata.resources`, each with the output that provides its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// Whether the resource can be suspended and resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspends: bool,
    /// Whether a verified backup must exist before the resource is destroyed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// The change of the resource when the instance is archived.
    #[serde(default)]
    pub on_archive: OnArchive,
    /// Time limit of the creation with all attempts. After this time the creation has failed, regardless of later
    /// results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// The manual task if no provider can do the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_manual: Option<ByHand>,
    /// Value of the catalog view `phase` while the entry is being created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Limit for the whole business. When the limit is reached, a manual task is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<ByValue>,
}

/// Limits that depend on a value, for the resources of the whole business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByValue {
    /// Maximum numbers by the value of `per`. Other values are unlimited.
    pub count: BTreeMap<String, u32>,
    /// A template whose value selects the maximum.
    pub per: String,
}

/// Maximum limit of resources with one value in the whole business. Each unit is a claim.
pub(crate) const STOCK_MAX: u32 = 100;

impl Resource {
    /// Returns the indexes of the entry's direct and indirect predecessors. Each is declared before its successors.
    pub(crate) fn comes_after(&self, all: &[Resource]) -> Vec<usize> {
        let mut names: Vec<&str> = self.after.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for (index, other) in all.iter().enumerate().rev() {
            if names.contains(&other.name.as_str()) {
                names.extend(other.after.iter().map(String::as_str));
                found.push(index);
            }
        }
        found
    }

    /// Returns the configuration key on which the entry depends.
    pub(crate) fn setting(&self) -> Option<&str> {
        self.condition.as_ref()?.config_key()
    }

    /// Returns whether an entry of an instance belongs to this entry: it has the same name, with or without a variant.
    pub(crate) fn has(&self, entry: &str) -> bool {
        entry.strip_prefix(self.name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
    }

    /// Returns the verb that creates the resource or runs the step.
    pub(crate) fn first_verb(&self) -> Verb {
        if self.is_step() { Verb::Run } else { Verb::Ensure }
    }

    /// Returns whether the entry is a step and not a resource.
    pub(crate) fn is_step(&self) -> bool {
        self.run.is_some()
    }
}

/// Who does a manual task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doer {
    /// An operator.
    #[default]
    Admin,
    /// The account's own users.
    Owner,
}

/// A manual task: a person does the work instead of a provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// Fields of the outputs that the person must report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Field>,
    /// The people who do the task: operators or users of the account.
    #[serde(default)]
    pub by: Doer,
    /// Instructions, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub how: Vec<String>,
    /// Time from the payment to the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Span>,
    /// Times from the payment to reminders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind: Vec<Reminder>,
    /// Whether `RESOURCE.observe` must verify the reported outputs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// Value of the catalog view `phase` while the task is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// When a reminder is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reminder {
    /// Once, at this time after the payment.
    After(Span),
    /// Daily after the last other reminder, or after the payment if there is no other.
    Daily,
}

impl Serialize for Reminder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Reminder::After(span) => span.serialize(serializer),
            Reminder::Daily => serializer.serialize_str("daily"),
        }
    }
}

impl<'de> Deserialize<'de> for Reminder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| match text {
            "daily" => Some(Reminder::Daily),
            other => Span::parse(other).map(Reminder::After),
        };
        deserializer.deserialize_str(TextVisitor { read, expected: "a number and s, m, h or d, as in 12h, or daily" })
    }
}
