//! What does `manifest.yml` state for the host about an extension, in addition to the component's declarations?

use crate::bad_input::Mistakes;
use host_store::{Excluded, NotState};
use host_yaml::{Checked, Checker, Node};
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
    /// Parses the text of a manifest; `file` names it in errors. What a host does not use may have any form.
    ///
    /// # Errors
    /// Fails with all mistakes.
    pub fn parse(file: &Path, text: &str) -> Result<Manifest, Mistakes> {
        let document = Node::parse(file, text)?;
        Checker::read(|check| {
            let mut fields = check.fields("the manifest", &document)?;
            let name = fields.need("name").and_then(|node| check.text("name", node));
            let parts = fields.optional("state", |node| {
                let mut state = check.fields("state", node)?;
                let parts = state.need("without").and_then(|node| match check.list("without", node)? {
                    [] => Err(check.bad(node.place(), "`without` is empty", EXPECTED)),
                    items => check.each(items, |item| excluded(check, item)),
                });
                state.finish().and(parts)
            });
            let parts: Vec<Excluded> = parts?.unwrap_or_default();
            Ok(Manifest { name: name?, not_state: NotState::parts(parts) })
        })
    }
}

/// Reads a part: the rows, the path of the member and the reason.
fn excluded(check: &Checker, item: &Node) -> Checked<Excluded> {
    let json = item.json();
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_known = json.as_object().is_some_and(|members| members.keys().all(|name| MEMBERS.contains(&name.as_str())));
    let part = text("rows").and_then(|rows| Excluded::parse(rows, text("member")));
    let part = part.map(|part| match json.get("only") {
        Some(value) => part.only(value.clone()),
        None => part,
    });
    let part = part.filter(|_| is_known && text("because").is_some());
    part.ok_or_else(|| check.bad(item.place(), format!("`without` has `{json}`"), EXPECTED))
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
            ("name: a\nstate: all\n", "manifest.yml:2: `state` is a text; expected a mapping".to_owned()),
            ("name: a\nstate: {without: []}\n", format!("manifest.yml:2: `without` is empty; {expected}")),
            (
                "name: a\nstate:\n  without: b\n  more: c\n",
                "manifest.yml:3: `without` is a text; expected a list\n\
                 manifest.yml:4: unknown field `more` in state; expected one of without"
                    .to_owned(),
            ),
            ("name: a\nstate: {without: [1]}\n", format!("manifest.yml:2: `without` has `1`; {expected}")),
            (
                "name: a\nstate: {without: [{rows: claims, because: b}]}\n",
                format!("manifest.yml:2: `without` has `{{\"because\":\"b\",\"rows\":\"claims\"}}`; {expected}"),
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
