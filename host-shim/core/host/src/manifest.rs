//! What does `manifest.yml` state for the host about an extension, in addition to the component's declarations?

use crate::bad_input::{BadInput, Place};
use host_store::{Excluded, NotState};
use host_yaml::{Entry, Node};
use serde_json::Value;
use std::path::Path;

/// The part of a manifest that a host uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the extension, equal to the name that its component declares.
    pub name: String,
    /// Parts of the extension's rows that are excluded from the state: `state: {without: [{rows, member, because}, …]}`.
    pub not_state: NotState,
}

impl Manifest {
    /// Parses the text of a manifest; `file` names it in errors.
    ///
    /// # Errors
    /// Fails with the first mistake.
    pub fn parse(file: &Path, text: &str) -> Result<Manifest, BadInput> {
        let document = Node::parse(file, text)?;
        let bad = |line, problem: String, expected: &str| BadInput::new(Place::line(file, line), problem, expected);
        let Some(entries) = document.entries() else {
            return Err(bad(document.line, format!("the manifest is {}", document.kind()), "a mapping"));
        };
        let find = |name: &str| entries.iter().find(|entry| entry.key == name);
        let name = match find("name").map(|entry| (entry, entry.value.json())) {
            Some((_, Value::String(name))) => name,
            Some((entry, _)) => return Err(bad(entry.line, format!("`name` is {}", entry.value.kind()), "a text")),
            None => return Err(bad(document.line, "the manifest has no `name`".to_owned(), "the field `name`")),
        };
        let parts = find("state").map(|state| excluded(state, bad)).transpose()?.unwrap_or_default();
        Ok(Manifest { name, not_state: NotState::parts(parts) })
    }
}

/// Reads `without`: a list of parts, each with the rows, the path of the member and the reason.
fn excluded(state: &Entry, bad: impl Fn(usize, String, &str) -> BadInput) -> Result<Vec<Excluded>, BadInput> {
    let mut parts = Vec::new();
    for entry in state.value.entries().unwrap_or_default() {
        let items = entry.value.items().filter(|_| entry.key == "without");
        let Some(items) = items else {
            return Err(bad(entry.line, format!("`{}` is {}", entry.key, entry.value.kind()), EXPECTED));
        };
        for item in items {
            let json = item.json();
            let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            let known =
                json.as_object().is_some_and(|members| members.keys().all(|name| MEMBERS.contains(&name.as_str())));
            let part = text("rows").and_then(|rows| Excluded::parse(rows, text("member")));
            let part = part.map(|part| match json.get("only") {
                Some(value) => part.only(value.clone()),
                None => part,
            });
            match part.filter(|_| known && text("because").is_some()) {
                Some(part) => parts.push(part),
                None => return Err(bad(item.line, format!("`without` has `{json}`"), EXPECTED)),
            }
        }
    }
    match parts.is_empty() {
        true => Err(bad(state.line, "`state` excludes nothing".to_owned(), EXPECTED)),
        false => Ok(parts),
    }
}

const MEMBERS: [&str; 4] = ["rows", "member", "only", "because"];
const EXPECTED: &str = "`without` with a list of `{rows: records/COLLECTION, member: PATH, because: REASON}`";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse(Path::new("manifest.yml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_excludes_members_from_the_state() {
        let text =
            "name: shop\nstate:\n  without:\n    - {rows: records/jobs, member: tries, because: counts requests}\n";
        let not_state = NotState::parts(Excluded::parse("records/jobs", Some("tries")));
        assert_eq!(parse(text).expect("a manifest"), Manifest { name: "shop".to_owned(), not_state });
        assert_eq!(parse("name: shop\n").expect("a manifest").not_state, NotState::default());
    }

    #[test]
    fn a_mistake_in_a_manifest_is_reported_with_its_line() {
        let expected = format!("expected {EXPECTED}");
        for (text, problem) in [
            ("- name\n", "manifest.yml:1: the manifest is a list; expected a mapping".to_owned()),
            ("version: 1\n", "manifest.yml:1: the manifest has no `name`; expected the field `name`".to_owned()),
            ("name: [a]\n", "manifest.yml:1: `name` is a list; expected a text".to_owned()),
            ("name: a\nstate: all\n", format!("manifest.yml:2: `state` excludes nothing; {expected}")),
            ("name: a\nstate: {without: []}\n", format!("manifest.yml:2: `state` excludes nothing; {expected}")),
            ("name: a\nstate:\n  with: [b]\n", format!("manifest.yml:3: `with` is a list; {expected}")),
            ("name: a\nstate: {without: [1]}\n", format!("manifest.yml:2: `without` has `1`; {expected}")),
            (
                "name: a\nstate: {without: [{rows: claims, because: b}]}\n",
                format!("manifest.yml:2: `without` has `{{\"rows\":\"claims\",\"because\":\"b\"}}`; {expected}"),
            ),
            (
                "name: a\nstate: {without: [{rows: products}]}\n",
                format!("manifest.yml:2: `without` has `{{\"rows\":\"products\"}}`; {expected}"),
            ),
        ] {
            assert_eq!(parse(text), Err(problem));
        }
    }
}
