//! Reads the clause `retry` of `business.yml`: when transient failures are retried, by resource or by effect kind.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Node};
use extension_contract::{EffectDecl, RETRY_DELAYS_MAX, RetryPolicy};
use std::collections::BTreeSet;

/// Name of the clause.
pub(super) const CLAUSE: &str = "retry";
/// Expected form of a delay.
const EXPECTED: &str = "a number and s, m, h or d, from 1s to 30d, as in 10s";
/// Units of a delay, in milliseconds.
const UNITS: [(char, u64); 4] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
/// The longest delay, in milliseconds: 30 days.
const DELAY_MAX_MS: u64 = 30 * 86_400_000;

/// The retry policy of a resource or of one effect kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryDecl {
    /// A resource with all its effects (`database`), or an effect kind (`database.ensure`).
    pub name: String,
    /// Retry policy of the effects.
    pub policy: RetryPolicy,
    place: Place,
}

impl RetryDecl {
    /// Returns the JSON Pointer of the entry.
    pub(super) fn pointer(&self) -> String {
        format!("/{CLAUSE}/{}", self.name)
    }

    fn is_of_kind(&self) -> bool {
        self.name.contains('.')
    }

    fn is_for(&self, kind: &str) -> bool {
        self.name == kind || resource(kind) == self.name
    }
}

fn resource(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(resource, _)| resource)
}

/// Reads the clause; [`unknown`] checks the names.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<RetryDecl>> {
    check.each(check.map(CLAUSE, clause)?, |entry| {
        let policy = RetryPolicy { delays_ms: delays(check, entry)? };
        Ok(RetryDecl { name: entry.key.clone(), policy, place: entry.place() })
    })
}

fn delays(check: &Checker, entry: &Entry) -> Checked<Vec<u32>> {
    let expected = "a list of delays, as in [10s, 2m]";
    let list = entry.value.items().ok_or_else(|| check.wrong(&entry.key, &entry.value, expected))?;
    check.at_most(&entry.key, entry.place(), list.len(), RETRY_DELAYS_MAX)?;
    check.each(list, |value| {
        let text = value.scalar().unwrap_or_else(|| value.kind().to_owned());
        delay_ms(&text).ok_or_else(|| check.bad(value.place(), format!("`{text}` is not a delay"), EXPECTED))
    })
}

fn delay_ms(text: &str) -> Option<u32> {
    let (_, of_one) = UNITS.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms = digits.parse::<u64>().ok()?.checked_mul(*of_one)?;
    u32::try_from(ms).ok().filter(|_| (1_000..=DELAY_MAX_MS).contains(&ms))
}

/// Returns the mistakes: policies for effects that do not exist.
pub(super) fn unknown(retries: &[RetryDecl], effects: &[EffectDecl]) -> Vec<BadInput> {
    let is_unknown = |retry: &&RetryDecl| !effects.iter().any(|effect| retry.is_for(&effect.kind));
    let mistake = |retry: &RetryDecl| {
        let (problem, names): (_, BTreeSet<&str>) = match retry.is_of_kind() {
            true => (format!("`{}` is not an effect kind", retry.name), effects.iter().map(|it| &*it.kind).collect()),
            false => {
                (format!("`{}` is not a resource", retry.name), effects.iter().map(|it| resource(&it.kind)).collect())
            }
        };
        let expected = names.iter().copied().collect::<Vec<_>>().join(", ");
        let place = retry.place.clone().at(&retry.pointer());
        BadInput::new(place, problem, expected).guessing(&retry.name, names)
    };
    retries.iter().filter(is_unknown).map(mistake).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::Declarations;
    use host_engine::processor::OwnDeclarations;
    use std::path::Path;

    fn read_of(text: &str) -> Result<Vec<RetryDecl>, String> {
        let lines = Node::parse(Path::new("business.yml"), text).expect("YAML");
        let clause = lines.entries().and_then(|entries| entries.first()).expect("a clause");
        Checker::read(|check| read(check, &clause.value)).map_err(|mistakes| mistakes.to_string())
    }

    fn effects() -> Vec<EffectDecl> {
        let effect = |kind: &str| EffectDecl {
            kind: kind.to_owned(),
            payload_schema: "{}".to_owned(),
            result_schema: "{}".to_owned(),
            retry: RetryPolicy { delays_ms: vec![1] },
        };
        ["database.ensure", "database.destroy", "mail.send", "stripe.price.create"].map(effect).to_vec()
    }

    fn delays_by_kind(text: &str) -> Vec<Vec<u32>> {
        let retries = read_of(text).expect("retries").into_iter().map(|retry| (retry.name, retry.policy)).collect();
        let declared = Declarations { effects: effects(), ..Declarations::default() };
        let own = OwnDeclarations { retries, ..OwnDeclarations::default() };
        own.beside(&declared).effects.into_iter().map(|effect| effect.retry.delays_ms).collect()
    }

    #[test]
    fn a_policy_for_a_kind_has_precedence_over_a_policy_for_its_resource() {
        let orders = [
            "retry: {database: [10s, 2m], database.destroy: [1h, 30d], stripe.price.create: []}",
            "retry: {stripe.price.create: [], database.destroy: [1h, 30d], database: [10s, 2m]}",
        ];
        for text in orders {
            let expected = [vec![10_000, 120_000], vec![3_600_000, 2_592_000_000], vec![1], vec![]];
            assert_eq!(delays_by_kind(text), expected, "{text}");
        }
    }

    #[test]
    fn an_invalid_list_of_delays_is_reported_with_its_line() {
        let many = format!("retry:\n  mail: [{}]", "1s, ".repeat(RETRY_DELAYS_MAX + 1));
        for (text, expected) in [
            ("retry: []", "business.yml:1: `retry` is a list; expected a mapping".to_owned()),
            ("retry:\n  mail: 10s", "business.yml:2: `mail` is a text; expected a list".to_owned()),
            (
                "retry:\n  mail:\n    - 10s\n    - 10",
                format!("business.yml:4: `10` is not a delay; expected {EXPECTED}"),
            ),
            ("retry: {mail: [31d]}", format!("business.yml:1: `31d` is not a delay; expected {EXPECTED}")),
            ("retry: {mail: [0s]}", format!("business.yml:1: `0s` is not a delay; expected {EXPECTED}")),
            ("retry: {mail: [[]]}", format!("business.yml:1: `a list` is not a delay; expected {EXPECTED}")),
            ("retry: {mail: [1é]}", format!("business.yml:1: `1é` is not a delay; expected {EXPECTED}")),
            (many.as_str(), "business.yml:2: `mail` has 21 entries; expected at most 20".to_owned()),
        ] {
            let error = read_of(text).expect_err("refused");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_is_reported_with_a_guess() {
        let retries = read_of("retry:\n  mail: [1s]\n  databse: [1s]\n  mail.sned: [1s]").expect("retries");
        let mistakes: Vec<_> = unknown(&retries, &effects()).iter().map(ToString::to_string).collect();
        let expected = [
            "business.yml:3: /retry/databse: `databse` is not a resource; expected database, mail, stripe; did you mean \
             `database`?",
            "business.yml:4: /retry/mail.sned: `mail.sned` is not an effect kind; expected database.destroy, \
             database.ensure, mail.send, stripe.price.create; did you mean `mail.send`?",
        ];
        assert_eq!(mistakes, expected);
    }
}
