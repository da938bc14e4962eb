//! What is personal, replaced by made-up values: the same ones wherever the same stood.
//!
//! A value is personal by the name of its member (`names`), or by its shape wherever it stands: an address of mail, a telephone
//! number with its country, an address of the internet. What a customer's command or fact writes in several words is personal, too. What
//! was found once is replaced wherever it stands again. Ids stay.
//!
//! A stand-in derives from the value and from the salt of the export, has the value's length and kind of characters, and is
//! none of somebody: domains end in `.example`, telephone numbers begin with a country that there is not.

mod names;
mod shape;
mod stand_in;

use extension_contract::{Account, Event, Payload};
use names::Names;
use regex::Regex;
use serde_json::Value;
use shape::Shapes;
use stand_in::StandIns;
use std::borrow::Cow;

/// Shortest value that is looked for within other texts.
const WITHIN_MIN: usize = 4;

/// Shortest value that is replaced where it is a whole text of a member that is not personal by its name.
const WHOLE_MIN: usize = 3;
/// Shortest identifier with digits that is no word.
const NUMBER_MIN: usize = 8;
/// What an entry of a list is called: nothing that is personal by its name.
const ENTRY: &str = "";

/// Where a JSON value is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A provider: what it calls a product or price is no customer's.
    Provider,
    /// A customer, or who speaks for one: a text of several words is free.
    Customer,
    /// The business itself: only what names a person is personal.
    Business,
}

/// Replaces what is personal. First it is shown everything, then it replaces.
pub struct Personal {
    names: Names,
    shapes: Shapes,
    stand_ins: StandIns,
    /// The values that are looked for within texts, once everything was shown.
    within: Option<Regex>,
    /// Whether ids are taken to have been made of personal texts.
    ids: bool,
}

impl Personal {
    /// Nothing is known yet. The salt makes the stand-ins of one export differ from those of any other.
    pub fn new(salt: [u8; 32]) -> Self {
        Personal {
            names: Names::new(),
            shapes: Shapes::new(),
            stand_ins: StandIns::new(salt),
            within: None,
            ids: false,
        }
    }

    /// How many values are replaced.
    pub fn len(&self) -> usize {
        self.stand_ins.len()
    }

    /// True if nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Look at a value, and learn what of it is personal.
    pub fn learn(&mut self, value: &Value, from: From) {
        self.learn_in(value, from, &mut Vec::new(), None);
        self.within = None;
    }

    /// Look at a text of no JSON, an id or a key: only its shape tells.
    pub fn learn_text(&mut self, text: &str) {
        self.shapes.each(text, &mut |kind, found| {
            self.stand_ins.of(kind, found);
        });
        self.within = None;
    }

    fn learn_in<'v>(&mut self, value: &'v Value, from: From, path: &mut Vec<&'v str>, object: Option<&'v str>) {
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

    /// Everything was shown. With `ids`, what an extension makes an id of, such as a name in lower case, is replaced within ids,
    /// too.
    pub fn ready(&mut self, ids: bool) {
        self.ids = ids;
        let mut values: Vec<&str> =
            self.stand_ins.originals().filter(|text| is_telling(text) || self.stand_ins.has_shape(text)).collect();
        values.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let pattern = values.iter().map(|text| regex::escape(text)).collect::<Vec<_>>().join("|");
        // A pattern that is too large finds less than it should, so nothing is looked for by it.
        self.within =
            (!values.is_empty()).then(|| regex::RegexBuilder::new(&pattern).size_limit(1 << 28).build().ok()).flatten();
    }

    /// A text with all that is known in it replaced.
    pub fn text(&self, text: &str) -> String {
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

    /// A value with all that is personal in it replaced.
    pub fn value(&self, value: &Value, from: From) -> Value {
        self.value_in(value, from, &mut Vec::new(), None)
    }

    fn value_in<'v>(&self, value: &'v Value, from: From, path: &mut Vec<&'v str>, object: Option<&'v str>) -> Value {
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

    /// True if a member of this name and value would have been replaced.
    pub fn is_personal(&self, path: &[&str], text: &str) -> bool {
        self.names.kind(path, None, From::Customer, text).is_some()
    }

    /// What an extension makes of a text that it derived from something personal, in lower case.
    pub fn derived(&self, text: &str) -> String {
        self.in_ids(&self.text(text)).to_lowercase()
    }

    /// A text with the words of personal texts replaced, joined as ids join them.
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

    /// Look at an event.
    pub fn learn_event(&mut self, event: &Event) {
        self.learn_text(&event.id);
        self.learn_text(&event.actor.subject);
        if let Some(account) = &event.account {
            self.learn_text(&account.to_string());
        }
        let from = whose(event);
        match &event.payload {
            Payload::Provider(body) => self.learn_json(std::str::from_utf8(body).unwrap_or_default(), From::Provider),
            Payload::Command(json) => self.learn_json(json, from),
            Payload::Timer(delivery) | Payload::Message(delivery) => {
                self.learn_text(&delivery.key);
                self.learn_json(&delivery.payload, From::Business);
            }
            Payload::EffectResult(report) => {
                self.learn_text(&report.key);
                match &report.answer {
                    Ok(json) => self.learn_json(json, From::Provider),
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
                    let from = if product.owner == Account::Platform { From::Business } else { from };
                    self.learn(&named, from);
                    self.learn_json(&values.metadata, from);
                }
            }
        }
    }

    fn learn_json(&mut self, json: &str, from: From) {
        match serde_json::from_str(json) {
            Ok(value) => self.learn(&value, from),
            Err(_) => self.learn_text(json),
        }
    }

    /// An event with all that is personal in it replaced.
    pub fn event(&self, event: &mut Event) {
        let from = whose(event);
        event.id = self.text(&event.id);
        event.actor.subject = self.text(&event.actor.subject);
        event.reply_to = event.reply_to.as_ref().map(|text| self.text(text));
        event.account = event.account.as_ref().map(|account| self.account(account));
        match &mut event.payload {
            Payload::Provider(body) => {
                let text = String::from_utf8_lossy(body);
                *body = match serde_json::from_str::<Value>(&text) {
                    Ok(value) => self.value(&value, From::Provider).to_string().into_bytes(),
                    Err(_) => self.text(&text).into_bytes(),
                };
            }
            Payload::Command(json) => *json = self.json(json, from),
            Payload::Timer(delivery) | Payload::Message(delivery) => {
                delivery.sender = self.account(&delivery.sender);
                delivery.key = self.text(&delivery.key);
                delivery.payload = self.json(&delivery.payload, From::Business);
            }
            Payload::EffectResult(report) => {
                report.key = self.text(&report.key);
                match &mut report.answer {
                    Ok(json) => *json = self.json(json, From::Provider),
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
                    let from = if product.owner == Account::Platform { From::Business } else { from };
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

    /// A JSON text with all that is personal in it replaced; what changes is written anew.
    pub fn json(&self, json: &str, from: From) -> String {
        match serde_json::from_str::<Value>(json) {
            Ok(value) => match self.value(&value, from) {
                same if same == value => json.to_owned(),
                replaced => replaced.to_string(),
            },
            Err(_) => self.text(json),
        }
    }

    /// An account, whose id may be somebody's address.
    pub fn account(&self, account: &Account) -> Account {
        match account {
            Account::Platform => Account::Platform,
            Account::User(id) => Account::User(self.text(id)),
            Account::Organization(id) => Account::Organization(self.text(id)),
        }
    }
}

/// Who wrote what an event says.
fn whose(event: &Event) -> From {
    match event.account {
        Some(Account::Platform) => From::Business,
        _ => From::Customer,
    }
}

/// True for a value that means itself wherever it stands: an identifier in lower case may be a word of the business.
fn is_telling(text: &str) -> bool {
    let is_number = text.len() >= NUMBER_MIN && text.contains(|c: char| c.is_ascii_digit());
    text.len() >= WITHIN_MIN && (!is_word(text) || is_number)
}

/// True for an identifier in lower case.
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'))
}

/// True if no letter or digit stands directly before or after a part of a text.
fn is_apart(text: &str, (start, end): (usize, usize)) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
}

/// The words of a text in lower case, joined.
fn joined(text: &str, joint: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(joint)
}

/// True for an id that is made of several parts.
fn is_composite(text: &str) -> bool {
    text.contains(['_', '/', ':']) && !text.contains(char::is_whitespace)
}

/// Each place of a part that stands apart, in whichever case, replaced.
fn replaced_apart(text: &str, from: &str, to: &str) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        // Letters that change their length have their places elsewhere.
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
