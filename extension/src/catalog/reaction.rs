//! The clauses `events` and `reactions`: the business's own facts, and reactions to facts. Each reaction to a fact runs once.

use super::schema::Field;
use crate::model::json::Object;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A fact that services report for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDecl {
    /// Fields of the fact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// A reaction to a fact: a mail or an effect. It runs once for each fact and reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// Name of the fact.
    pub event: String,
    /// Template of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Recipient of the mail: `account` (the default), `admin`, or a placeholder of a field with an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Kind of an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Values of the mail or payload of the effect; all fields of the fact by default.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub with: Object,
}

/// The business's own facts by name.
pub(crate) type Events = BTreeMap<String, EventDecl>;

/// Placeholders of mail templates by name.
pub(crate) type Templates = BTreeMap<String, Vec<String>>;
