//! `retry` in `business.yml`: when what failed in passing is tried again, by resource or by kind of effect.

use super::own::mapping;
use crate::bad_input::{BadInput, Place};
use crate::yaml::{Entry, Lined};
use extension_contract::{EffectDecl, RETRY_DELAYS_MAX, RetryPolicy};
use std::collections::BTreeSet;

/// The clause.
pub(super) const CLAUSE: &str = "retry";
/// What a delay is written as.
const EXPECTED: &str = "a number and s, m, h or d, from 1s to 30d, as in 10s";
/// The units of a delay, in milliseconds.
const UNITS: [(char, u64); 4] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
/// The longest delay, in milliseconds: 30 days.
const DELAY_MAX_MS: u64 = 30 * 86_400_000;

/// Retries of a resource or of one kind of effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRetry {
    /// A resource, and so all that is asked for of it (`database`), or a kind (`database.ensure`).
    pub name: String,
    /// When its effects are tried again.
    pub policy: RetryPolicy,
    place: Place,
}

impl OwnRetry {
    /// The JSON Pointer of the entry.
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

/// Reads the clause; whether there are effects of the names is judged by [`unknown`].
pub(super) fn read(clause: &Entry) -> Result<Vec<OwnRetry>, BadInput> {
    mapping(clause)?
        .iter()
        .map(|entry| {
            let policy = RetryPolicy { delays_ms: delays(entry)? };
            Ok(OwnRetry { name: entry.key.clone(), policy, place: entry.place() })
        })
        .collect()
}

fn delays(entry: &Entry) -> Result<Vec<u32>, BadInput> {
    let Some(list) = entry.value.list() else {
        let problem = format!("`{}` of `{CLAUSE}` is {}", entry.key, entry.value.kind());
        return Err(BadInput::new(entry.place(), problem, "a list of delays, as in [10s, 2m]"));
    };
    if list.len() > RETRY_DELAYS_MAX {
        let problem = format!("`{}` of `{CLAUSE}` has {} delays", entry.key, list.len());
        return Err(BadInput::new(entry.place(), problem, format!("at most {RETRY_DELAYS_MAX}")));
    }
    list.iter().map(delay).collect()
}

fn delay(value: &Lined) -> Result<u32, BadInput> {
    let text = value.single().unwrap_or_else(|| value.kind().to_owned());
    delay_ms(&text).ok_or_else(|| BadInput::new(value.place(), format!("`{text}` is no delay"), EXPECTED))
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

/// Gives the effects the retries that are said for them; what is said for a kind wins over what is for its resource.
pub(super) fn apply(retries: &[OwnRetry], effects: &mut [EffectDecl]) {
    for effect in effects {
        let said = retries.iter().filter(|retry| retry.is_for(&effect.kind)).max_by_key(|retry| retry.is_of_kind());
        if let Some(retry) = said {
            effect.retry = retry.policy.clone();
        }
    }
}

/// What is said for effects that don't exist.
pub(super) fn unknown(retries: &[OwnRetry], effects: &[EffectDecl]) -> Vec<BadInput> {
    let is_unknown = |retry: &&OwnRetry| !effects.iter().any(|effect| retry.is_for(&effect.kind));
    let told = |retry: &OwnRetry| {
        let (problem, names): (_, BTreeSet<&str>) = match retry.is_of_kind() {
            true => (format!("`{}` is no kind of effect", retry.name), effects.iter().map(|it| &*it.kind).collect()),
            false => {
                (format!("`{}` is no resource", retry.name), effects.iter().map(|it| resource(&it.kind)).collect())
            }
        };
        let expected = names.iter().copied().collect::<Vec<_>>().join(", ");
        let place = retry.place.clone().at(&retry.pointer());
        BadInput::new(place, problem, expected).guessing(&retry.name, names)
    };
    retries.iter().filter(is_unknown).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read_of(text: &str) -> Result<Vec<OwnRetry>, String> {
        let lines = Lined::parse(Path::new("business.yml"), text).expect("YAML");
        let clause = lines.entries().and_then(|entries| entries.first()).expect("a clause");
        read(clause).map_err(|bad| bad.to_string())
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
        let mut effects = effects();
        apply(&read_of(text).expect("retries"), &mut effects);
        effects.into_iter().map(|effect| effect.retry.delays_ms).collect()
    }

    #[test]
    fn what_is_said_for_a_kind_wins_over_what_is_said_for_its_resource() {
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
    fn what_is_no_list_of_delays_is_told_with_its_line() {
        let many = format!("retry:\n  mail: [{}]", "1s, ".repeat(RETRY_DELAYS_MAX + 1));
        for (text, said) in [
            ("retry: []", "business.yml:1: `retry` is a list; expected a mapping".to_owned()),
            ("retry:\n  mail: 10s", "business.yml:2: `mail` of `retry` is a text; expected a list".to_owned()),
            ("retry:\n  mail:\n    - 10s\n    - 10", format!("business.yml:4: `10` is no delay; expected {EXPECTED}")),
            ("retry: {mail: [31d]}", format!("business.yml:1: `31d` is no delay; expected {EXPECTED}")),
            ("retry: {mail: [0s]}", format!("business.yml:1: `0s` is no delay; expected {EXPECTED}")),
            ("retry: {mail: [[]]}", format!("business.yml:1: `a list` is no delay; expected {EXPECTED}")),
            ("retry: {mail: [1é]}", format!("business.yml:1: `1é` is no delay; expected {EXPECTED}")),
            (many.as_str(), "business.yml:2: `mail` of `retry` has 21 delays; expected at most 20".to_owned()),
        ] {
            let told = read_of(text).expect_err("refused");
            assert!(told.starts_with(&said), "{told}");
        }
    }

    #[test]
    fn a_name_that_no_effect_has_is_guessed() {
        let retries = read_of("retry:\n  mail: [1s]\n  databse: [1s]\n  mail.sned: [1s]").expect("retries");
        let told: Vec<_> = unknown(&retries, &effects()).iter().map(ToString::to_string).collect();
        let expected = [
            "business.yml:3: /retry/databse: `databse` is no resource; expected database, mail, stripe; did you mean \
             `database`?",
            "business.yml:4: /retry/mail.sned: `mail.sned` is no kind of effect; expected database.destroy, \
             database.ensure, mail.send, stripe.price.create; did you mean `mail.send`?",
        ];
        assert_eq!(told, expected);
    }
}
