//! Product types as data: fields, who may set them, and the behaviour that goes with the type.
//!
//! Validation gives the JSON Pointer of each error. [`json_schema`](TypeDecl::json_schema) says the same to everybody
//! else; a property test holds the two against each other.

mod check;
mod implied;
mod provision;

use super::amount::{Amount, Granted};
use super::buy::Buy;
use super::price::Interval;
use super::span::Span;
use super::split::Split;
use crate::model::shared::Shared;
pub(crate) use check::{check, check_default, check_told, text_form};
use extension_small_deserialize::SmallDeserialize;
pub(crate) use provision::STOCK_MAX;
pub use provision::{ByHand, Doer, OnArchive, Reminder, Resource, Stock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
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
    /// Minor units, a whole number that is not negative.
    Money,
    /// Thousandths, a whole number that is not negative; a text such as `0.5` is read as 500.
    Milli,
    /// One of `options`.
    Enum,
    /// Truth value.
    Bool,
    /// Any object.
    Object,
    /// A list of texts.
    List,
    /// Reference to a secret that the host holds: text that begins with `secret:`.
    SecretRef,
}

/// Named formats of texts.
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
    /// The account's own people, and everybody above them.
    #[default]
    Owner,
    /// Administrators and services.
    Admin,
    /// Services, and decisions themselves.
    Service,
}

/// A field of a product type's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Key in the metadata.
    pub name: String,
    /// Kind of value; `number` and `array` of older lists are read as `int` and `list`.
    #[serde(rename = "type", deserialize_with = "field_type")]
    pub field_type: FieldType,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// Least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Most characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Named format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Allowed values of an `enum`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Older values of an `enum`, with the option that each is read as.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// Values that nobody may take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
    /// Text is stored in lower case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// Value where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Who may set it.
    #[serde(default)]
    pub set_by: SetBy,
    /// It can't be changed once set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// It is about a person, and goes when what is personal of a closed account does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub personal: bool,
    /// One account of the business may have a value; held as a claim.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique")]
    pub unique: Option<Unique>,
}

/// Among what a value is unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Unique {
    /// `true`: the values of this field of this type.
    OfField(bool),
    /// A name: the values of all fields that name it; claims are `NAME:VALUE`.
    Space(String),
}

fn unique<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Unique>, D::Error> {
    let unique = Option::<Unique>::deserialize(deserializer)?;
    Ok(unique.filter(|unique| *unique != Unique::OfField(false)))
}

impl Field {
    /// The space of names that a value is unique in; none if it need not be.
    pub fn space(&self, product_type: &str) -> Option<String> {
        match self.unique.as_ref()? {
            Unique::OfField(_) => Some(format!("{product_type}.{}", self.name)),
            Unique::Space(name) => Some(name.clone()),
        }
    }
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

/// How a product refers to the plan that pays for it.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLink {
    /// Field that holds the plan's product id.
    pub field: String,
    /// Family of the plan.
    pub family: String,
    /// Keys of `metadata.quotas` by the plan's metadata fields that fill them; filled again on a change of plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quotas: BTreeMap<String, String>,
}

/// A counter or gauge that is kept of a product.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Meter of the measurement, and key in `metadata.usage`.
    pub meter: String,
    /// True: measurements of the billing period are added up; false: the newest one counts.
    #[serde(default)]
    pub counter: bool,
}

/// A public address of a product.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Url {
    /// Resource that serves it.
    pub resource: String,
    /// Template of the address.
    pub value: String,
}

/// How the health of a product is watched.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Template of the URL.
    pub url: String,
    /// Seconds between probes.
    pub every_s: u32,
    /// Failed probes in a row before it counts as unhealthy.
    pub fail_after: u32,
    /// Good probes in a row before it counts as healthy.
    pub recover_after: u32,
}

/// How long a product stands where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// Nobody uses it: it is archived, although it is paid for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// From standing still unpaid to the archive; the business's `archive_after_days` where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_after: Option<Span>,
    /// From that to its end; the business's `retention_days` where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Span>,
}

/// A product of a checkout session that somebody else made: templates with places of `session`, which are the session's
/// metadata and `email`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct FromCheckout {
    /// Its name.
    pub name: String,
    /// Its metadata.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// When nobody uses a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// The meter whose measurements are use by people.
    pub meter: String,
    /// From the last one, or from when it began to run.
    pub after: Span,
}

/// A meter that something is heard of while a product runs, as of a backup that is made each day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The meter.
    pub meter: String,
    /// From one measurement to the next at most; operators are told when it takes longer.
    pub within: Span,
}

/// What a payment leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftBehind {
    /// Credits, in minor units of the currency: a lot that usage is paid from.
    pub credit: Amount,
}

/// How an account brings a product of its own into the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listing {
    /// At once.
    Open,
    /// When an administrator approves it; each change waits again.
    Approved,
}

/// When a buyer may have the money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundTerms {
    /// Days from the payment on, for what is unspent and unused.
    pub days: u32,
}

/// A token that who may have a product can ask for: places are of `product`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDecl {
    /// Its name among the tokens of the type.
    pub name: String,
    /// The entitlement that it stands on.
    #[serde(rename = "if")]
    pub condition: String,
    /// How long it counts.
    pub ttl: Span,
    /// How many of them an account has of one product at a time.
    #[serde(default = "ten")]
    pub live: u32,
    /// What who asked is told beside it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub shows: Map<String, Value>,
    /// What it is good for; nothing but to be looked at where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeem: Option<Redeem>,
}

/// What a token is redeemed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// Kind of the effect that gives the grant.
    pub effect: String,
    /// How long the grant counts.
    pub ttl: Span,
    /// What the effect is told, beside `expires_at` and `ttl_s`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
}

/// At most so many live tokens of a user and product (requirements M11).
fn ten() -> u32 {
    10
}

/// The view that shows the step that is under way.
pub(crate) const PHASE: &str = "phase";

/// What views call the status `error` of what was refused and never began.
pub(crate) const REFUSED: &str = "refused";

/// A product type.
#[derive(Clone, Debug, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDecl {
    /// Name.
    pub name: String,
    /// Other names that are read as this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// A product without a type is of this one if its metadata has this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer_by: Option<String>,
    /// Whether its products are the catalog's; only administrators make them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub catalog: bool,
    /// Fields of the metadata.
    pub fields: Vec<Field>,
    /// Other keys are allowed in the metadata.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extras: bool,
    /// An account may have one price of a family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Metadata field that ranks the products of a family; without it the price does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_by: Option<String>,
    /// It entitles only beside a plan.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_plan: bool,
    /// Billing intervals that each of its products has a price for; none says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Interval>,
    /// How its products are bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy: Option<Buy>,
    /// When what was paid once for its products may go back; not at all where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundTerms>,
    /// Who has a share of what its products are sold for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// How who has the share brings products into the catalog; only administrators do where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// What one product of the type grants, by entitlement; a key may have places of `product`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, Granted>,
    /// What a payment of a product of the type leaves behind, beside what it grants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_paid: Vec<LeftBehind>,
    /// What one product of the type uses up, by entitlement; places are of `instance`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consumes: BTreeMap<String, Amount>,
    /// The plan that pays for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanLink>,
    /// Resources it provisions, and steps beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisions: Vec<Resource>,
    /// Fields that show the status in other words, by field and status; `refused` is the `error` of what never began, and
    /// a status without a word shows its own name. The field `phase` shows the step that is under way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, BTreeMap<String, String>>,
    /// What a checkout that was made elsewhere makes one with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_checkout: Option<FromCheckout>,
    /// How long it stands where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// What must be heard of it while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<Expected>,
    /// Tokens for its products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenDecl>,
    /// Ids of its products: this prefix, `_` and the value of `id_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Field that the id derives from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_by: Option<String>,
    /// Where `metadata.resources.url` comes from: the first whose resource is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub url: Vec<Url>,
    /// How it is watched once it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// What is measured of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<Meter>,
}

impl TypeDecl {
    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What an entry of an instance is of.
    pub(crate) fn resource(&self, entry: &str) -> Option<&Resource> {
        self.provisions.iter().find(|decl| decl.has(entry))
    }

    /// Bring older values of metadata that is stored to what they are read as.
    pub(crate) fn modernise(&self, metadata: &mut Shared<Map<String, Value>>) {
        for field in &self.fields {
            let value = metadata.get(&field.name).and_then(Value::as_str);
            if let Some(option) = value.and_then(|value| field.aliases.get(value)) {
                metadata.insert(field.name.clone(), json!(option));
            }
        }
    }

    /// The same as [`check`](check::check) as JSON Schema 2020-12, apart from who may set what.
    pub fn json_schema(&self) -> Value {
        let mut properties = Map::new();
        for field in &self.fields {
            properties.insert(field.name.clone(), field.json_schema());
        }
        let required: Vec<&str> =
            self.fields.iter().filter(|f| f.required && f.default.is_none()).map(|f| f.name.as_str()).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": self.extras,
        })
    }
}

/// Thousandths as a text: `0.5`.
const MILLI_PATTERN: &str = r"^[0-9]{1,12}(\.[0-9]{1,3})?$";

impl Field {
    fn json_schema(&self) -> Value {
        let mut out = match self.field_type {
            FieldType::String => json!({"type": "string"}),
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
        set("minimum", self.min.map(Value::from));
        set("maximum", self.max.map(Value::from));
        set("minLength", self.min_length.map(Value::from));
        set("maxLength", self.max_length.map(Value::from));
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
