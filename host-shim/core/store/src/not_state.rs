//! The parts of rows that do not belong to the state: correct runs of the same events may differ in them.

use extension_contract::Row;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The sections whose rows have their ids right after the section's name; the other sections are `records/COLLECTION`.
const SECTIONS: [&str; 3] = ["products", "purchases", "subscriptions"];

/// A part of rows that a manifest excludes from the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    section: String,
    /// Id of the row; a trailing `*` matches any suffix, and `None` every row.
    id: Option<String>,
    /// Names of nested members, where `*` matches every member; empty for the whole row.
    path: Vec<String>,
    /// The only value of the member that is excluded; an object that becomes empty is excluded too.
    only: Option<Value>,
}

impl Excluded {
    /// Parses the name of rows (`products`, `records/sales`, `records/account/schedule`, `records/ledger/split:*`) and the
    /// path of a member of their JSON (`resources.*.generation`). Without a path the whole rows are excluded. Returns
    /// `None` if a name is empty or there is no such section.
    pub fn parse(rows: &str, path: Option<&str>) -> Option<Excluded> {
        let path: Vec<String> = path.map(|path| path.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let (first, rest) = rows.split_once('/').map_or((rows, None), |(first, rest)| (first, Some(rest)));
        let (section, id) = match first {
            "records" => {
                let (collection, id) = rest?.split_once('/').map_or((rest?, None), |(name, id)| (name, Some(id)));
                (format!("records/{collection}"), id)
            }
            first => (SECTIONS.contains(&first).then(|| first.to_owned())?, rest),
        };
        let names = [section.rsplit('/').next().unwrap_or_default(), id.unwrap_or("*")];
        let is_named = names.into_iter().chain(path.iter().map(String::as_str)).all(|name| !name.is_empty());
        is_named.then(|| Excluded { section, id: id.map(str::to_owned), path, only: None })
    }

    /// Excludes the member only where it has this value, together with objects that become empty.
    #[must_use]
    pub fn only(self, value: Value) -> Excluded {
        Excluded { only: Some(value), ..self }
    }

    fn is_of(&self, section: &str, id: &str) -> bool {
        self.section == section
            && self.id.as_ref().is_none_or(|own| match own.strip_suffix('*') {
                Some(start) => id.starts_with(start),
                None => own == id,
            })
    }
}

/// The parts of an extension's rows that its manifest excludes from the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotState {
    parts: Vec<Excluded>,
    catalog: Vec<Excluded>,
}

impl NotState {
    /// Excludes these parts.
    pub fn parts(parts: impl IntoIterator<Item = Excluded>) -> Self {
        NotState { parts: parts.into_iter().collect(), catalog: Vec::new() }
    }

    /// Also excludes the rows that loading a catalog writes, but only from the state as a document and as a hash. Later events depend on
    /// these rows, so two stores with different catalogs are never the same.
    #[must_use]
    pub fn with_catalog(self, catalog: impl IntoIterator<Item = Excluded>) -> Self {
        NotState { catalog: catalog.into_iter().collect(), ..self }
    }

    /// Returns what is excluded from the state as a document.
    pub(crate) fn of_document(&self) -> NotState {
        NotState::parts(self.parts.iter().chain(&self.catalog).cloned())
    }

    /// Returns true if the whole row is excluded.
    pub fn hides(&self, row: &Row) -> bool {
        let (section, id) = match row {
            Row::Product(row) => (Cow::Borrowed("products"), &row.id),
            Row::Purchase(row) => (Cow::Borrowed("purchases"), &row.id),
            Row::Subscription(row) => (Cow::Borrowed("subscriptions"), &row.id),
            Row::Record(row) => (Cow::Owned(format!("records/{}", row.collection)), &row.id),
            Row::Price(_) => return false,
        };
        self.parts.iter().any(|part| part.path.is_empty() && part.is_of(&section, id))
    }

    /// Returns the JSON text of a row's value or metadata as a value without the excluded members. `section` is `products`, `purchases`,
    /// `subscriptions` or `records/COLLECTION`. Invalid JSON, which the host does not store, is returned as a string.
    pub fn strip(&self, section: &str, id: &str, text: &str) -> Value {
        let mut value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        for part in self.parts.iter().filter(|part| part.is_of(section, id)) {
            remove(&mut value, &part.path, part.only.as_ref());
        }
        value
    }
}

/// Removes the members at a path.
fn remove(value: &mut Value, path: &[String], only: Option<&Value>) {
    let (Value::Object(members), Some((name, rest))) = (value, path.split_first()) else { return };
    let is_named = |member: &str| name == "*" || member == name;
    if rest.is_empty() {
        members.retain(|member, value| !is_named(member) || only.is_some_and(|only| only != value));
        return;
    }
    members.iter_mut().filter(|(member, _)| is_named(member)).for_each(|(_, member)| remove(member, rest, only));
    if only.is_some() {
        members.retain(|member, value| !is_named(member) || value.as_object().is_none_or(|value| !value.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

    fn not_state(parts: &[(&str, Option<&str>)]) -> NotState {
        NotState::parts(parts.iter().map(|(rows, path)| Excluded::parse(rows, *path).expect("a part")))
    }

    #[test]
    fn a_member_is_excluded_at_its_path_only() {
        let text =
            r#"{"generation": 1, "resources": {"a": {"generation": 2, "state": "x"}}, "deep": {"generation": 3}}"#;
        let without = |parts: &[(&str, Option<&str>)]| not_state(parts).strip("records/instances", "inst_1", text);
        assert_eq!(without(&[("records/instances", Some("generation"))])["resources"]["a"]["generation"], 2);
        let both = [("records/instances", Some("generation")), ("records/instances", Some("resources.*.generation"))];
        assert_eq!(without(&both), json!({"resources": {"a": {"state": "x"}}, "deep": {"generation": 3}}));
        assert_eq!(without(&[("records/sales", Some("generation"))])["generation"], 1);
        assert_eq!(without(&[("records/instances/inst_2", Some("generation"))])["generation"], 1);
        assert_eq!(without(&[("records/instances/inst_*", Some("resources.*"))])["resources"], json!({}));
        assert_eq!(not_state(&[]).strip("records/x", "y", "no JSON"), json!("no JSON"));
    }

    #[test]
    fn a_member_can_be_excluded_for_one_value_only() {
        let part = Excluded::parse("records/account/balances", Some("*.*")).expect("a part").only(json!(0));
        let text = r#"{"revenue": {"usd": 0, "eur": 5}, "credits": {"usd": 0}}"#;
        let stripped = NotState::parts([part]).strip("records/account", "balances", text);
        assert_eq!(stripped, json!({"revenue": {"eur": 5}}));
    }

    #[test]
    fn whole_rows_are_excluded_by_their_ids() {
        let not_state = not_state(&[("records/ledger/split:*", None), ("records/ledger/credits:1", None)]);
        for (section, id, is_hidden) in [
            ("records/ledger", "split:pur_1:2", true),
            ("records/ledger", "credits:1", true),
            ("records/ledger", "credits:12", false),
            ("records/ledger", "paid:in_1", false),
            ("records/sales", "split:pur_1:2", false),
        ] {
            let collection = section.strip_prefix("records/").expect("a collection").to_owned();
            let row = Row::Record(samples::record(&collection, id, "{}"));
            assert_eq!(not_state.hides(&row), is_hidden, "{section} {id}");
        }
    }

    #[test]
    fn unknown_sections_and_empty_names_are_refused() {
        for (rows, path) in [
            ("", None),
            ("records", None),
            ("records/", None),
            ("claims", None),
            ("products/", None),
            ("products", Some("a..b")),
        ] {
            assert_eq!(Excluded::parse(rows, path), None, "{rows} {path:?}");
        }
    }
}
