//! Declares the parameters that endpoints accept, and reads the typed values of a request.
//!
//! As at Stripe, an undeclared parameter is refused with `parameter_unknown`, and an empty string unsets a parameter.

pub mod known;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::form::{Form, Node};
use crate::money;

/// The maximum number of keys of `metadata`, Stripe's limit.
pub const METADATA_KEYS_MAX: usize = 50;
/// The maximum length of a metadata key, Stripe's limit.
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// The maximum length of a metadata value, Stripe's limit.
pub const METADATA_VALUE_CHARS_MAX: usize = 500;
/// The maximum length of any other text, Stripe's usual limit.
pub const TEXT_CHARS_MAX: usize = 5_000;

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy)]
pub enum ParamKind {
    /// Text of up to [`TEXT_CHARS_MAX`] characters.
    Text,
    /// An integer within bounds.
    Int(i64, i64),
    /// An integer within bounds, or one of these words.
    IntOr(i64, i64, &'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The ISO 4217 code of a supported currency, in upper or lower case.
    Currency,
    /// A time in Unix seconds.
    Time,
    /// A time in Unix seconds, or one of these words.
    TimeOr(&'static [&'static str]),
    /// A decimal string of minor units.
    Decimal,
    /// An object whose values are strings. An empty value removes its key.
    Metadata,
    /// An object with these members.
    Map(&'static [Field]),
    /// An object whose keys are currencies, each with these members.
    ByCurrency(&'static [Field]),
    /// A list of values of one type. An empty string unsets the list.
    List(&'static ParamKind),
    /// An id, or an object with these members.
    IdOr(&'static [Field]),
    /// A value that switches off an unsupported feature. Any other value is refused, because the feature affects amounts.
    Off,
    /// An email address.
    Email,
    /// An `http` or `https` URL.
    Url,
}

/// One declared parameter.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub kind: ParamKind,
    /// Whether the parameter is required.
    pub required: bool,
}

/// Declares a required parameter.
pub const fn req(name: &'static str, kind: ParamKind) -> Field {
    Field { name, kind, required: true }
}

/// Declares an optional parameter.
pub const fn opt(name: &'static str, kind: ParamKind) -> Field {
    Field { name, kind, required: false }
}

/// Declares the parameter of an unsupported feature that affects amounts: only a value that switches the feature off is
/// accepted.
pub const fn off(name: &'static str) -> Field {
    Field { name, kind: ParamKind::Off, required: false }
}

/// A non-negative amount in minor units, up to Stripe's maximum of twelve digits.
pub const AMOUNT: ParamKind = ParamKind::Int(0, 999_999_999_999);
/// An amount in minor units; a negative amount is a credit.
pub const SIGNED_AMOUNT: ParamKind = ParamKind::Int(-999_999_999_999, 999_999_999_999);
/// A quantity of up to six digits.
pub const QUANTITY: ParamKind = ParamKind::Int(0, 999_999);
/// A postal address.
pub const ADDRESS: ParamKind = ParamKind::Map(&[
    opt("city", ParamKind::Text),
    opt("country", ParamKind::Text),
    opt("line1", ParamKind::Text),
    opt("line2", ParamKind::Text),
    opt("postal_code", ParamKind::Text),
    opt("state", ParamKind::Text),
]);
/// The address to which a customer's goods are shipped.
pub const SHIPPING_OF_CUSTOMER: ParamKind =
    ParamKind::Map(&[opt("address", ADDRESS), opt("name", ParamKind::Text), opt("phone", ParamKind::Text)]);
/// The shipping details of goods that are paid for.
pub const SHIPPING: ParamKind = ParamKind::Map(&[
    opt("address", ADDRESS),
    opt("carrier", ParamKind::Text),
    opt("name", ParamKind::Text),
    opt("phone", ParamKind::Text),
    opt("tracking_number", ParamKind::Text),
]);

/// The typed parameters of a request. A parameter that is set to the empty string is present as null.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args(Map<String, Value>);

impl Args {
    /// Reads a form according to an endpoint's declarations.
    ///
    /// # Errors
    /// A parameter is undeclared, missing or invalid.
    pub fn read(form: &Form, fields: &[Field]) -> Result<Self, ApiError> {
        Self::read_but(form, fields, &mut |name| Err(ApiError::unknown_param(name)))
    }

    /// Like [`Args::read`], but asks `lacking` whether to leave out or refuse each parameter that the sandbox does not support.
    ///
    /// # Errors
    /// A parameter is missing, invalid or refused.
    pub fn read_but(form: &Form, fields: &[Field], lacking: Lacking) -> Result<Self, ApiError> {
        read_map(form, fields, "", lacking).map(Self)
    }

    /// Creates parameters for a call that the sandbox makes itself.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }

    /// Returns the values as a JSON object.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Returns the names of the given parameters, including empty ones.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the values by name.
    pub fn into_members(self) -> Map<String, Value> {
        self.0
    }

    /// Sets a value.
    pub fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// Removes a value.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether the request contains the parameter, even if it is empty.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the value; null if the parameter is absent or empty.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// Returns the value, if the parameter is given and not empty.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// Returns the value, if it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).as_str()
    }

    /// Returns the value, if it is an integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// Returns the value, if it is a boolean.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).as_bool()
    }

    /// Returns the members of an object; none if the parameter is absent.
    pub fn map(&self, name: &str) -> Args {
        Args::of(self.get(name).clone())
    }

    /// Returns the elements of a list; none if the parameter is absent.
    pub fn list(&self, name: &str) -> Vec<Value> {
        self.get(name).as_array().cloned().unwrap_or_default()
    }

    /// Returns a copy of the value, for setting a member of an object; null if the parameter is absent or empty.
    pub fn value(&self, name: &str) -> Value {
        self.get(name).clone()
    }
}

fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.into() } else { format!("{prefix}[{name}]") }
}

/// Decides what to do with a parameter that the sandbox does not support, by its name, such as `items[0][tax_rates]`.
pub type Lacking<'a> = &'a mut dyn FnMut(&str) -> Result<(), ApiError>;

fn read_map(form: &Form, fields: &[Field], prefix: &str, lacking: Lacking) -> Result<Map<String, Value>, ApiError> {
    let mut out = Map::new();
    for (name, node) in form {
        let here = path(prefix, name);
        let Some(field) = fields.iter().find(|f| f.name == name) else {
            lacking(&here)?;
            continue;
        };
        out.insert(name.clone(), read(node, &field.kind, &here, lacking)?);
    }
    for field in fields.iter().filter(|f| f.required) {
        match out.get(field.name) {
            None => return Err(ApiError::missing(&path(prefix, field.name))),
            Some(Value::Null) => {
                let here = path(prefix, field.name);
                let message = format!(
                    "You passed an empty string for '{here}'. We assume empty values are an attempt to unset a parameter; however '{here}' cannot be unset."
                );
                return Err(ApiError::coded("parameter_invalid_empty", message).about(&here));
            }
            Some(_) => {}
        }
    }
    Ok(out)
}

fn read(node: &Node, kind: &ParamKind, here: &str, lacking: Lacking) -> Result<Value, ApiError> {
    match (kind, node) {
        (ParamKind::Off, node) if is_off(node) => Ok(Value::Null),
        (ParamKind::Off, _) => lacking(here).map(|()| Value::Null),
        (ParamKind::Metadata, node) => metadata(node, here),
        (_, Node::Text(text)) if text.is_empty() => Ok(Value::Null),
        (ParamKind::Map(fields) | ParamKind::IdOr(fields), Node::Map(inner)) => {
            read_map(inner, fields, here, lacking).map(Value::Object)
        }
        (ParamKind::ByCurrency(fields), Node::Map(inner)) => by_currency(inner, fields, here, lacking),
        (ParamKind::List(kind), Node::List(list)) => {
            let read_one = |(i, node)| read(node, kind, &format!("{here}[{i}]"), lacking);
            list.iter().enumerate().map(read_one).collect::<Result<_, _>>().map(Value::Array)
        }
        (ParamKind::List(kind), Node::Map(inner)) => numbered(inner, kind, here, lacking),
        (ParamKind::Map(_) | ParamKind::ByCurrency(_), _) => Err(ApiError::invalid("Invalid object").about(here)),
        (ParamKind::List(_), _) => Err(ApiError::invalid("Invalid array").about(here)),
        (kind, Node::Text(text)) => scalar(text, kind, here),
        (_, _) => Err(ApiError::invalid(format!("Invalid string: {here} must not be a hash or an array")).about(here)),
    }
}

fn by_currency(inner: &Form, fields: &[Field], here: &str, lacking: Lacking) -> Result<Value, ApiError> {
    let mut out = Map::new();
    for (currency, node) in inner {
        let param = path(here, currency);
        let Value::String(code) = scalar(currency, &ParamKind::Currency, &param)? else { continue };
        let Node::Map(members) = node else { return Err(ApiError::invalid("Invalid object").about(&param)) };
        out.insert(code, Value::Object(read_map(members, fields, &param, lacking)?));
    }
    Ok(Value::Object(out))
}

/// Whether a value switches a feature off: an empty value, `false`, an object whose `enabled` is off, or a list or
/// object with only such values.
fn is_off(node: &Node) -> bool {
    match node {
        Node::Text(text) => matches!(text.as_str(), "" | "false"),
        Node::List(list) => list.iter().all(is_off),
        Node::Map(map) => match map.get("enabled") {
            Some(enabled) => is_off(enabled),
            None => map.values().all(is_off),
        },
    }
}

/// Reads a list whose elements are numbered, such as `items[0]` and `items[1]`. The numbers give the order; gaps are
/// allowed.
fn numbered(inner: &Form, kind: &ParamKind, here: &str, lacking: Lacking) -> Result<Value, ApiError> {
    let mut members = Vec::new();
    for (index, node) in inner {
        let number: u32 = index.parse().map_err(|_| ApiError::invalid("Invalid array").about(here))?;
        members.push((number, node));
    }
    members.sort_by_key(|(number, _)| *number);
    let read_one = |(number, node): (u32, &Node)| read(node, kind, &format!("{here}[{number}]"), lacking);
    members.into_iter().map(read_one).collect::<Result<_, _>>().map(Value::Array)
}

fn scalar(text: &str, kind: &ParamKind, here: &str) -> Result<Value, ApiError> {
    let invalid_integer =
        || ApiError::coded("parameter_invalid_integer", format!("Invalid integer: {text}")).about(here);
    match kind {
        ParamKind::IntOr(_, _, words) if words.contains(&text) => Ok(json!(text)),
        ParamKind::Int(min, max) | ParamKind::IntOr(min, max, _) => {
            let number: i64 = text.parse().map_err(|_| invalid_integer())?;
            if number < *min {
                return Err(ApiError::coded(
                    "parameter_invalid_integer",
                    format!("This value must be greater than or equal to {min}."),
                )
                .about(here));
            }
            if number > *max {
                return Err(ApiError::coded(
                    "parameter_invalid_integer",
                    format!("This value must be less than or equal to {max}."),
                )
                .about(here));
            }
            Ok(json!(number))
        }
        ParamKind::TimeOr(words) if words.contains(&text) => Ok(json!(text)),
        ParamKind::Time | ParamKind::TimeOr(_) => {
            let number: i64 = text.parse().map_err(|_| invalid_integer())?;
            // The limit is the year 2100: late enough for any scenario, and early enough that added months can't
            // overflow.
            if !(0..=4_102_444_800).contains(&number) {
                return Err(ApiError::coded(
                    "timestamp_invalid",
                    "Invalid timestamp: must be an integer Unix timestamp in seconds",
                )
                .about(here));
            }
            Ok(json!(number))
        }
        ParamKind::Bool => match text {
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            _ => Err(ApiError::invalid(format!("Invalid boolean: {text}")).about(here)),
        },
        ParamKind::OneOf(words) if words.contains(&text) => Ok(json!(text)),
        ParamKind::OneOf(words) => {
            let message = format!("Invalid {here}: must be one of {}", words.join(", "));
            Err(ApiError::invalid(message).about(here))
        }
        ParamKind::Currency => {
            let code = text.to_ascii_lowercase();
            money::exponent(&code)
                .map(|_| json!(code))
                .ok_or_else(|| ApiError::invalid(format!("Invalid currency: {code}")).about(here))
        }
        ParamKind::Decimal => money::parse_decimal(text).map(|_| json!(text)).ok_or_else(|| {
            ApiError::coded("parameter_invalid_decimal", format!("Invalid decimal: {text}")).about(here)
        }),
        ParamKind::Email if !is_email(text) => {
            Err(ApiError::coded("email_invalid", format!("Invalid email address: {text}")).about(here))
        }
        ParamKind::Url if !is_url(text) => {
            let message = "Not a valid URL: an explicit scheme (such as https) must be provided.";
            Err(ApiError::coded("url_invalid", message).about(here))
        }
        ParamKind::Text
        | ParamKind::Email
        | ParamKind::Url
        | ParamKind::Metadata
        | ParamKind::Map(_)
        | ParamKind::ByCurrency(_)
        | ParamKind::IdOr(_)
        | ParamKind::List(_)
        | ParamKind::Off => {
            if text.chars().count() > TEXT_CHARS_MAX {
                let message = format!("Invalid string: must be at most {TEXT_CHARS_MAX} characters");
                return Err(ApiError::coded("parameter_invalid_string", message).about(here));
            }
            Ok(json!(text))
        }
    }
}

/// The maximum length of an email address, Stripe's limit.
const EMAIL_CHARS_MAX: usize = 512;

/// Whether a text is an email address by Stripe's check: one `@` between a name and a host with a dot, and no spaces.
fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
    let dotted = host.contains('.') && host.split('.').all(|label| !label.is_empty());
    text.chars().count() <= EMAIL_CHARS_MAX && plain(name) && plain(host) && dotted
}

/// Whether a page may link to a URL: only `http` and `https`, with a host.
fn is_url(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    clean && rest.is_some_and(|rest| rest.split(['/', '?', '#']).next().is_some_and(|host| !host.is_empty()))
}

fn metadata(node: &Node, here: &str) -> Result<Value, ApiError> {
    let map = match node {
        Node::Text(text) if text.is_empty() => return Ok(Value::Null),
        Node::Map(map) => map,
        _ => return Err(ApiError::invalid("Invalid object").about(here)),
    };
    let mut out = Map::new();
    for (key, value) in map {
        let Node::Text(value) = value else {
            return Err(ApiError::invalid("Metadata values must be strings").about(&format!("{here}[{key}]")));
        };
        if key.chars().count() > METADATA_KEY_CHARS_MAX {
            let message = format!("Metadata keys can be at most {METADATA_KEY_CHARS_MAX} characters long.");
            return Err(ApiError::invalid(message).about(here));
        }
        if value.chars().count() > METADATA_VALUE_CHARS_MAX {
            let message = format!(
                "Metadata values can have up to {METADATA_VALUE_CHARS_MAX} characters, but you passed in a value that is {} characters.",
                value.chars().count()
            );
            return Err(ApiError::invalid(message).about(&format!("{here}[{key}]")));
        }
        out.insert(key.clone(), json!(value));
    }
    Ok(Value::Object(out))
}

/// Merges the parameter `metadata` into an object's metadata. An empty value removes its key; an empty parameter removes all keys.
///
/// # Errors
/// The result has more than [`METADATA_KEYS_MAX`] keys.
pub fn merge_metadata(current: &Value, args: &Args) -> Result<Value, ApiError> {
    let mut merged = current.as_object().cloned().unwrap_or_default();
    if !args.has("metadata") {
        return Ok(Value::Object(merged));
    }
    let Some(given) = args.given("metadata").and_then(Value::as_object) else {
        return Ok(json!({}));
    };
    for (key, value) in given {
        if value == "" {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    if merged.len() > METADATA_KEYS_MAX {
        let message = format!("Metadata can have up to {METADATA_KEYS_MAX} keys.");
        return Err(ApiError::invalid(message).about("metadata"));
    }
    Ok(Value::Object(merged))
}
