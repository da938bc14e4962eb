//! Fields of products: the kind of their value, who sets them, and their limits.

use crate::catalog::amount::{UNLIMITED, UNLIMITED_WORD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kind of a field's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldType {
    /// Text.
    #[default]
    String,
    /// Whole number.
    Int,
    /// Whole number of minor units, not negative.
    Money,
    /// Whole number of thousandths, not negative; a text such as `0.5` is read as 500.
    Milli,
    /// One of `options`.
    Enum,
    /// Truth value.
    Bool,
    /// Any object.
    Object,
    /// A list of texts.
    List,
    /// Reference to a secret in the host: text that begins with `secret:`.
    SecretRef,
}

/// Formats of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A host label: groups of lower-case letters and digits, joined by single hyphens.
    Label,
    /// RFC 3339 date and time.
    DateTime,
    /// An account: `user:ID` or `organization:ID`.
    Account,
}

/// Who may set a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetBy {
    /// The account's own users, administrators and services.
    #[default]
    Owner,
    /// Administrators and services.
    Admin,
    /// Services and decisions of this component.
    Service,
}

/// A field of a product type's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Key in the metadata.
    pub name: String,
    /// Kind of value. The older names `number` and `array` are read as `int` and `list`.
    #[serde(rename = "type", deserialize_with = "field_type")]
    pub field_type: FieldType,
    /// Whether the field is required.
    #[serde(default)]
    pub required: bool,
    /// Minimum of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Maximum of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Whether the value may be `unlimited`, which is stored as -1. Other values are at least 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlimited: bool,
    /// Minimum number of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Maximum number of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Format of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Allowed values of an `enum`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Older values of an `enum`, each with the option that replaces it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// Values that are not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
    /// Whether text is stored in lower case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// Whether a new product without a value gets the words of its name: `Small site` gives `small_site`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_name: bool,
    /// A consumed entitlement. The value is the id of the add-on's purchase or subscription that covers the
    /// consumption; there is none if the account's plan covers it. This component sets it on new products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_of: Option<String>,
    /// Default value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Actors that may set the field.
    #[serde(default)]
    pub set_by: SetBy,
    /// Whether the field cannot be changed once it is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// Whether the field contains personal data, which is erased after the account was closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
    /// Whether each value is limited to one account of the business, by a claim.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique")]
    pub unique: Option<Unique>,
}

/// The namespace in which a value is unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Unique {
    /// `true`: the values of this field of this type.
    OfField(bool),
    /// A name: the values of all fields with this namespace; claims are `NAME:VALUE`.
    Space(String),
}

fn unique<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Unique>, D::Error> {
    let unique = Option::<Unique>::deserialize(deserializer)?;
    Ok(unique.filter(|unique| *unique != Unique::OfField(false)))
}

fn field_type<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<FieldType, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    match text.as_ref() {
        "number" | "integer" => Ok(FieldType::Int),
        "array" => Ok(FieldType::List),
        "boolean" => Ok(FieldType::Bool),
        name => FieldType::deserialize(serde::de::value::StrDeserializer::new(name)),
    }
}

/// Maximum number of characters of a text whose field has no `max_length`, and of a description.
pub(crate) const TEXT_CHARS_MAX: u32 = 4_096;

/// Pattern of thousandths as text: `0.5`.
const MILLI_PATTERN: &str = r"^[0-9]{1,12}(\.[0-9]{1,3})?$";

impl Field {
    /// Returns the namespace in which a value is unique; `None` if the field is not unique.
    pub fn space(&self, product_type: &str) -> Option<String> {
        match self.unique.as_ref()? {
            Unique::OfField(_) => Some(format!("{product_type}.{}", self.name)),
            Unique::Space(name) => Some(name.clone()),
        }
    }
}

impl Field {
    /// Returns the smallest value that does not mean "unlimited"; `None` if there is no minimum.
    pub(super) fn least(&self) -> Option<i64> {
        match (self.field_type, self.unlimited) {
            (FieldType::Money, _) => Some(self.min.unwrap_or(0).max(0)),
            (_, true) => Some(self.min.unwrap_or(0)),
            (_, false) => self.min,
        }
    }

    /// Returns the maximum number of characters of a text.
    pub(super) fn most_characters(&self) -> u32 {
        self.max_length.unwrap_or(TEXT_CHARS_MAX)
    }

    /// Returns the number that stands for the word `unlimited`; `None` for another value or field.
    pub(super) fn in_numbers(&self, value: &Value) -> Option<Value> {
        (self.unlimited && value == UNLIMITED_WORD).then(|| Value::from(UNLIMITED))
    }

    pub(super) fn json_schema(&self) -> Value {
        let mut out = match self.field_type {
            FieldType::String => json!({"type": "string"}),
            FieldType::Int if self.unlimited => json!({}),
            FieldType::Int => json!({"type": "integer"}),
            FieldType::Milli => {
                json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": MILLI_PATTERN}]})
            }
            FieldType::Money => json!({"type": "integer", "minimum": 0}),
            FieldType::Enum => json!({"enum": self.options.iter().chain(self.aliases.keys()).collect::<Vec<_>>()}),
            FieldType::Bool => json!({"type": "boolean"}),
            FieldType::Object => json!({"type": "object"}),
            FieldType::List => json!({"type": "array", "items": {"type": "string"}}),
            FieldType::SecretRef => json!({"type": "string", "pattern": "^secret:."}),
        };
        let mut set = |key: &str, value: Option<Value>| {
            if let (Some(value), Some(object)) = (value, out.as_object_mut()) {
                object.insert(key.to_owned(), value);
            }
        };
        let least = self.least();
        match self.unlimited {
            false => {
                set("minimum", least.map(Value::from));
                set("maximum", self.max.map(Value::from));
            }
            // The unlimited value lies below each minimum.
            true => {
                let mut number = json!({"type": "integer", "minimum": least});
                if let Some(most) = self.max {
                    number["maximum"] = json!(most);
                }
                set("anyOf", Some(json!([number, {"const": UNLIMITED}, {"const": UNLIMITED_WORD}])));
            }
        }
        set("minLength", self.min_length.map(Value::from));
        set("maxLength", (self.field_type == FieldType::String).then(|| Value::from(self.most_characters())));
        if self.format == Some(Format::Label) {
            set("pattern", Some(json!("^[a-z0-9]+(-[a-z0-9]+)*$")));
        }
        if self.format == Some(Format::DateTime) {
            set("format", Some(json!("date-time")));
        }
        if self.format == Some(Format::Account) {
            set("pattern", Some(json!("^(user|organization):[^\\p{Cc}]{1,200}$")));
        }
        if !self.reserved.is_empty() {
            set("not", Some(json!({"enum": self.reserved})));
        }
        set("default", self.default.clone());
        out
    }
}
