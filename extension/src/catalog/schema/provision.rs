//! The clause `provisions`: resources and steps, what comes before what, and what a person does where no machine can.

use super::Field;
use crate::catalog::span::Span;
use crate::model::concern::Verb;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What happens to a resource when its instance is archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnArchive {
    /// It is freed.
    #[default]
    Free,
    /// It stays: it holds the data.
    Keep,
}

/// A resource that a product of the type provisions, or a step on the way.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Name within the product, for example `compute`.
    pub name: String,
    /// Resource of the effect kinds, for example `function`; none of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The effect of a step, for example `database.seed`: done once, never undone, and never repeated by a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Names of what must be there first; its outputs, and those of what comes before it, can be named in `with`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Entitlement that its contents count against; while more is in use than allowed, it refuses writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// `config.KEY`: the configuration must have it, else it is left out, or done by hand.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Payload of its effects, with places to fill in.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// A template; when its value changes, a new resource replaces the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Keys of the product's `metadata.resources` by the outputs that fill them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
    /// It can be suspended and resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspends: bool,
    /// A verified backup must exist before it is freed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// What an archive does to it.
    #[serde(default)]
    pub on_archive: OnArchive,
    /// How long making it may take, all attempts together; after that it counts as failed, whatever comes later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// A person does it where the machine can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_manual: Option<ByHand>,
    /// What the view `phase` shows while it is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// How many of it there are in the whole business; a person does it where none is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<Stock>,
}

/// How many of a resource there are in the whole business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// A template whose value tells which count it is of.
    pub by: String,
    /// How many there are, by that value; what isn't named has no bound.
    pub most: BTreeMap<String, u32>,
}

/// How many of one value there may be: each is a claim.
pub(crate) const STOCK_MAX: u32 = 100;

impl Resource {
    /// Which of its type's resources come before it, themselves or by another one: each stands before what follows it.
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

    /// The configuration key that it depends on.
    pub(crate) fn setting(&self) -> Option<&str> {
        self.condition.as_deref()?.strip_prefix("config.")
    }

    /// Whether an entry of an instance is of this: it has its name, or its name and a variant.
    pub(crate) fn has(&self, entry: &str) -> bool {
        entry.strip_prefix(self.name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
    }

    /// What brings it about.
    pub(crate) fn first_verb(&self) -> Verb {
        if self.is_step() { Verb::Run } else { Verb::Ensure }
    }

    /// Whether it is done once, and not a thing that is there.
    pub(crate) fn is_step(&self) -> bool {
        self.run.is_some()
    }
}

/// Who does what a machine can't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doer {
    /// An operator.
    #[default]
    Admin,
    /// The account's own people.
    Owner,
}

/// What a person does in place of a machine.
#[derive(Clone, Debug, Default, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// What is to be told when it is done: outputs, as fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<Field>,
    /// Who does it.
    #[serde(default)]
    pub by: Doer,
    /// How it is done, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub how: Vec<String>,
    /// From the payment until it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Span>,
    /// From the payment until reminders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind: Vec<Reminder>,
    /// What was told counts when `RESOURCE.observe` has looked at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// What the view `phase` shows meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
}

/// When somebody is reminded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reminder {
    /// Once, so long after the payment.
    After(Span),
    /// Each day after the last of the others.
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
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match text.as_ref() {
            "daily" => Ok(Reminder::Daily),
            other => Span::parse(other)
                .map(Reminder::After)
                .ok_or_else(|| serde::de::Error::custom("expected a number and s, m, h or d, as in 12h, or daily")),
        }
    }
}
