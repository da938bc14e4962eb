//! Replaces personal data with made-up values; equal values get equal stand-ins.
//!
//! A value is personal because of the name of its member (`names`) or because of its shape (`shape`). A text of several words in a
//! customer's command or fact is also personal. A personal value is replaced wherever it occurs, with one that belongs to nobody
//! (`stand_in`). An id stays unchanged unless it contains a personal value.

mod names;
mod shape;
mod stand_in;

use extension_contract::{ADDRESS_CLAIMS, Account, Event, Payload, address_hash};
use names::Names;
use regex::Regex;
use serde_json::Value;
use shape::Shapes;
use stand_in::StandIns;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Minimum length of a value that is searched within other texts.
const WITHIN_MIN: usize = 4;

/// Minimum length of a value that is replaced if it is the whole text of a member without a personal name.
const WHOLE_MIN: usize = 3;
/// Minimum length of a lower-case identifier with digits that is searched within other texts.
const NUMBER_MIN: usize = 8;
/// The path element of a list's entry: entries have no name that could be personal.
const ENTRY: &str = "";

/// The origin of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Stripe, or a provider's answer: names of products and prices are not personal.
    Provider,
    /// A customer or a representative: any text of several words is personal.
    Customer,
    /// The business itself: only names of people are personal.
    Business,
}

/// A replacer of personal data. It must learn all values before it replaces any.
pub struct Personal {
    names: Names,
    shapes: Shapes,
    stand_ins: StandIns,
    /// Pattern of the values that are searched within texts; none until all values are learned.
    within: Option<Regex>,
    /// The hash in the claim of each mail address, with the hash of the address's stand-in.
    address_hashes: BTreeMap<String, String>,
    /// Whether ids may be derived from personal texts.
    ids: bool,
}

impl Personal {
    /// Returns a replacer without values. The salt makes the stand-ins of each export different.
    pub fn new(salt: [u8; 32]) -> Self {
        Personal {
            names: Names::new(),
            shapes: Shapes::new(),
            stand_ins: StandIns::new(salt),
            within: None,
            address_hashes: BTreeMap::new(),
            ids: false,
        }
    }

    /// Returns the number of replaced values.
    pub fn len(&self) -> usize {
        self.stand_ins.len()
    }

    /// Returns true if no value is replaced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Learns the personal data of a value.
    pub fn learn(&mut self, value: &Value, from: Origin) {
        self.learn_in(value, from, &mut Vec::new(), None);
        self.within = None;
    }

    /// Learns the personal data in a text that is not JSON, such as an id or a key, by its shape.
    pub fn learn_text(&mut self, text: &str) {
        self.shapes.each(text, &mut |kind, found| {
            self.stand_ins.of(kind, found);
        });
        self.within = None;
    }

    fn learn_in<'v>(&mut self, value: &'v Value, from: Origin, path: &mut Vec<&'v str>, object: Option<&'v str>) {
        match value {
            Value::Object(members) => {
                let object = members.get("object").and_then(Value::as_str).or(object);
                for (name, value) in members {
                    self.learn_text(name);
                    path.push(name);
                    self.learn_in(value, from, path, object);
                    path.pop();
                }
            }
            Value::Array(list) => {
                path.push(ENTRY);
                list.iter().for_each(|value| self.learn_in(value, from, path, object));
                path.pop();
            }
            Value::String(text) => {
                self.learn_text(text);
                if let Some(kind) = self.names.kind(path, object, from, text) {
                    self.stand_ins.of(kind, text);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Ends the learning phase. With `ids`, texts that an extension derives from personal data for ids, such as a name in lower case, are
    /// also replaced in ids.
    pub fn ready(&mut self, ids: bool) {
        self.ids = ids;
        let addresses = self.stand_ins.all().filter(|(address, _)| address.contains('@'));
        self.address_hashes = addresses.map(|(address, other)| (address_hash(address), address_hash(other))).collect();
        let mut values: Vec<&str> =
            self.stand_ins.originals().filter(|text| is_distinctive(text) || self.stand_ins.has_shape(text)).collect();
        values.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let pattern = values.iter().map(|text| regex::escape(text)).collect::<Vec<_>>().join("|");
        // If the pattern exceeds the size limit, no value is searched within texts.
        self.within =
            (!values.is_empty()).then(|| regex::RegexBuilder::new(&pattern).size_limit(1 << 28).build().ok()).flatten();
    }

    /// Replaces all known values in a text.
    pub fn text(&self, text: &str) -> String {
        if let Some((before, hash)) = text.rsplit_once(ADDRESS_CLAIMS)
            && let Some(other) = self.address_hashes.get(hash)
        {
            return format!("{before}{ADDRESS_CLAIMS}{other}");
        }
        let within = match &self.within {
            Some(within) => within.replace_all(text, |found: &regex::Captures<'_>| {
                let whole = found.get(0).map(|found| (found.start(), found.end())).unwrap_or_default();
                let original = &text[whole.0..whole.1];
                match is_apart(text, whole) {
                    true => self.stand_ins.known(original).unwrap_or(original).to_owned(),
                    false => original.to_owned(),
                }
            }),
            None => Cow::Borrowed(text),
        };
        match self.ids && is_composite(text) {
            true => self.in_ids(&within),
            false => within.into_owned(),
        }
    }

    /// Replaces all personal data in a value.
    pub fn value(&self, value: &Value, from: Origin) -> Value {
        self.value_in(value, from, &mut Vec::new(), None)
    }

    fn value_in<'v>(&self, value: &'v Value, from: Origin, path: &mut Vec<&'v str>, object: Option<&'v str>) -> Value {
        match value {
            Value::Object(members) => {
                let object = members.get("object").and_then(Value::as_str).or(object);
                let replaced = members.iter().map(|(name, value)| {
                    path.push(name);
                    let replaced = self.value_in(value, from, path, object);
                    path.pop();
                    (self.text(name), replaced)
                });
                Value::Object(replaced.collect())
            }
            Value::Array(list) => {
                path.push(ENTRY);
                let replaced = list.iter().map(|value| self.value_in(value, from, path, object)).collect();
                path.pop();
                Value::Array(replaced)
            }
            Value::String(text) => match self.names.kind(path, object, from, text).and(self.stand_ins.known(text)) {
                Some(stand_in) => Value::String(stand_in.to_owned()),
                None => match self.stand_ins.known(text).filter(|_| text.len() >= WHOLE_MIN && !is_word(text)) {
                    Some(whole) => Value::String(whole.to_owned()),
                    None => Value::String(self.text(text)),
                },
            },
            Value::Number(number) if self.names.is_personal_number(path) => self.stand_ins.number(number),
            other => other.clone(),
        }
    }

    /// Returns true if a member with this name and value is personal.
    pub fn is_personal(&self, path: &[&str], text: &str) -> bool {
        self.names.kind(path, None, Origin::Customer, text).is_some()
    }

    /// Returns the replacement, in lower case, of a text that an extension derived from personal data.
    pub fn derived(&self, text: &str) -> String {
        self.in_ids(&self.text(text)).to_lowercase()
    }

    /// Replaces personal texts in the joined form that ids use.
    fn in_ids(&self, text: &str) -> String {
        let mut derived = text.to_owned();
        for (original, stand_in) in self.stand_ins.all() {
            for joint in ["-", "_", ""] {
                let (from, to) = (joined(original, joint), joined(stand_in, joint));
                if from.len() > 1 && !to.is_empty() {
                    derived = replaced_apart(&derived, &from, &to);
                }
            }
        }
        derived
    }

    /// Learns the personal data of an event.
    pub fn learn_event(&mut self, event: &Event) {
        self.learn_text(&event.id);
        self.learn_text(&event.actor.subject);
        if let Some(account) = &event.account {
            self.learn_text(&account.to_string());
        }
        let from = origin_of(event);
        match &event.payload {
            Payload::Payment(body) => self.learn_json(std::str::from_utf8(body).unwrap_or_default(), Origin::Provider),
            Payload::Command(json) => self.learn_json(json, from),
            Payload::Timer(delivery) | Payload::Message(delivery) => {
                self.learn_text(&delivery.key);
                self.learn_json(&delivery.payload, Origin::Business);
            }
            Payload::EffectResult(report) => {
                self.learn_text(&report.key);
                match &report.answer {
                    Ok(json) => self.learn_json(json, Origin::Provider),
                    Err(failure) => self.learn_text(&failure.message),
                }
            }
            Payload::Usage(usage) => {
                for one in usage {
                    let attributes =
                        one.attributes.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
                    self.learn(&Value::Object(attributes.collect()), from);
                    self.learn_text(&one.id);
                }
            }
            Payload::Product(change) => {
                for product in [&change.before, &change.after].into_iter().flatten() {
                    let values = &product.values;
                    let named = serde_json::json!({"name": values.name, "description": values.description});
                    let from = if product.owner == Account::Platform { Origin::Business } else { from };
                    self.learn(&named, from);
                    self.learn_json(&values.metadata, from);
                }
            }
        }
    }

    fn learn_json(&mut self, json: &str, from: Origin) {
        match serde_json::from_str(json) {
            Ok(value) => self.learn(&value, from),
            Err(_) => self.learn_text(json),
        }
    }

    /// Replaces all personal data in an event.
    pub fn event(&self, event: &mut Event) {
        let from = origin_of(event);
        event.id = self.text(&event.id);
        event.actor.subject = self.text(&event.actor.subject);
        event.reply_to = event.reply_to.as_ref().map(|text| self.text(text));
        event.account = event.account.as_ref().map(|account| self.account(account));
        match &mut event.payload {
            Payload::Payment(body) => {
                let text = String::from_utf8_lossy(body);
                *body = match serde_json::from_str::<Value>(&text) {
                    Ok(value) => self.value(&value, Origin::Provider).to_string().into_bytes(),
                    Err(_) => self.text(&text).into_bytes(),
                };
            }
            Payload::Command(json) => *json = self.json(json, from),
            Payload::Timer(delivery) | Payload::Message(delivery) => {
                delivery.sender = self.account(&delivery.sender);
                delivery.key = self.text(&delivery.key);
                delivery.payload = self.json(&delivery.payload, Origin::Business);
            }
            Payload::EffectResult(report) => {
                report.key = self.text(&report.key);
                match &mut report.answer {
                    Ok(json) => *json = self.json(json, Origin::Provider),
                    Err(failure) => failure.message = self.text(&failure.message),
                }
            }
            Payload::Usage(usage) => {
                for one in usage {
                    one.id = self.text(&one.id);
                    for (name, text) in &mut one.attributes {
                        let value = Value::Object([(name.clone(), Value::from(text.as_str()))].into_iter().collect());
                        if let Some(replaced) = self.value(&value, from)[name.as_str()].as_str() {
                            *text = replaced.to_owned();
                        }
                    }
                }
            }
            Payload::Product(change) => {
                for product in [&mut change.before, &mut change.after].into_iter().flatten() {
                    let from = if product.owner == Account::Platform { Origin::Business } else { from };
                    product.owner = self.account(&product.owner);
                    let values = &mut product.values;
                    let named = serde_json::json!({"name": values.name, "description": values.description});
                    let named = self.value(&named, from);
                    for (name, text) in [("name", &mut values.name), ("description", &mut values.description)] {
                        if let Some(replaced) = named[name].as_str() {
                            *text = replaced.to_owned();
                        }
                    }
                    values.metadata = self.json(&values.metadata, from);
                }
            }
        }
    }

    /// Replaces all personal data in a JSON text; an unchanged text keeps its format.
    pub fn json(&self, json: &str, from: Origin) -> String {
        match serde_json::from_str::<Value>(json) {
            Ok(value) => match self.value(&value, from) {
                same if same == value => json.to_owned(),
                replaced => replaced.to_string(),
            },
            Err(_) => self.text(json),
        }
    }

    /// Replaces the id of an account, which may be a mail address.
    pub fn account(&self, account: &Account) -> Account {
        match account {
            Account::Platform => Account::Platform,
            Account::User(id) => Account::User(self.text(id)),
            Account::Organization(id) => Account::Organization(self.text(id)),
        }
    }
}

/// Returns the origin of an event's data.
fn origin_of(event: &Event) -> Origin {
    match event.account {
        Some(Account::Platform) => Origin::Business,
        _ => Origin::Customer,
    }
}

/// Returns true for a value that can be searched for in texts. A short lower-case identifier cannot, because it may be one of the
/// business's own words.
fn is_distinctive(text: &str) -> bool {
    let is_number = text.len() >= NUMBER_MIN && text.contains(|c: char| c.is_ascii_digit());
    text.len() >= WITHIN_MIN && (!is_word(text) || is_number)
}

/// Returns true for an identifier in lower case.
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'))
}

/// Returns true if no letter or digit comes directly before or after a part of a text.
fn is_apart(text: &str, (start, end): (usize, usize)) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
}

/// Returns the words of a text in lower case, joined.
fn joined(text: &str, joint: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(joint)
}

/// Returns true for an id that has several parts.
fn is_composite(text: &str) -> bool {
    text.contains(['_', '/', ':']) && !text.contains(char::is_whitespace)
}

/// Replaces each separate occurrence of a part, ignoring case.
fn replaced_apart(text: &str, from: &str, to: &str) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        // Lower-casing changes the length of some letters, so the positions would differ.
        return text.to_owned();
    }
    let mut replaced = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = lower[at..].find(from) {
        let (start, end) = (at + found, at + found + from.len());
        replaced.push_str(&text[at..start]);
        replaced.push_str(if is_apart(text, (start, end)) { to } else { &text[start..end] });
        at = end;
    }
    replaced.push_str(&text[at..]);
    replaced
}
