//! How are an extension's errors about a catalog reported? As mistakes of the file with line, expected values and a
//! guess.
//!
//! An extension error has the JSON Pointer of a value and a message `PROBLEM: expected WHAT`; either half may be
//! missing. The first quotation is the wrong name.

use crate::folder::{BusinessFolder, CATALOG_FILE, is_of_another_file};
use extension_contract::{FieldError, FieldErrorCode, Outcome, Refusal};
use host_engine::processor::Report;
use host_yaml::bad_input::{BadInput, Place};
use host_yaml::guess::nearest;
use host_yaml::{Entry, Node};

/// Expected value, if the extension does not name it.
const EXPECTED: &str = "a catalog that the extension takes";

/// Returns the expected value for an error code, if the extension does not name it.
fn expected_by(code: FieldErrorCode) -> &'static str {
    match code {
        FieldErrorCode::Missing => "a value",
        FieldErrorCode::ReadOnly => "the previous value",
        FieldErrorCode::Taken => "another value",
        _ => EXPECTED,
    }
}

/// Returns the mistakes of a refused catalog; at least one.
pub(super) fn mistakes(business: &BusinessFolder, report: &Report) -> Vec<BadInput> {
    match report.result.outcome() {
        Some(Outcome::Rejected(Refusal::Invalid(errors))) if !errors.is_empty() => {
            errors.iter().map(|error| mistake(&business.lines, error)).collect()
        }
        _ => {
            let reason = report.result.reason().unwrap_or_default();
            let problem = format!("the extension returned {}: {reason}", report.result.name());
            vec![BadInput::new(Place::file(&business.folder.join(CATALOG_FILE)), problem, EXPECTED)]
        }
    }
}

fn mistake(catalog: &Node, error: &FieldError) -> BadInput {
    let MessageParts { problem, expected } = MessageParts::read(without_json_place(&error.message));
    // The document of the extension has the clauses of all files.
    let of_catalog = expected.filter(|_| error.path.is_empty() && error.code == FieldErrorCode::UnknownField);
    let of_catalog = of_catalog.map(|expected| {
        let mut clauses = names_in(expected);
        clauses.retain(|clause| !is_of_another_file(clause));
        format!("one of {}", clauses.join(", "))
    });
    let expected = of_catalog.as_deref().or(expected);
    let quoted = problem.and_then(first_quotation);
    let there = catalog.at(&error.path);
    let problem = match (problem, there) {
        (Some(problem), _) => problem.to_owned(),
        (None, Ok(value)) => match value.scalar() {
            Some(text) => format!("found `{text}`"),
            None => format!("found {}", value.kind()),
        },
        (None, Err(_)) => "it is missing".to_owned(),
    };
    // The quotation may be a right name elsewhere in the object.
    let is_unknown = |entry: &&Entry| error.code == FieldErrorCode::UnknownField && Some(entry.key.as_str()) == quoted;
    let unknown = there.ok().and_then(Node::entries).and_then(|entries| entries.iter().find(is_unknown));
    let place = unknown.map_or_else(|| catalog.place_meant(&error.path, quoted), Entry::place).at(&error.path);
    let bad = BadInput::new(place, problem, expected.unwrap_or(expected_by(error.code)));
    // An unknown field has a wrong name, not a wrong value.
    let name = error.path.rsplit_once('/').map(|(_, name)| name);
    let name = name.filter(|_| error.code == FieldErrorCode::UnknownField && quoted.is_none()).map(str::to_owned);
    let value = name.or_else(|| there.ok().and_then(Node::scalar));
    let Some(word) = value.as_deref().or(quoted) else { return bad };
    let allowed = expected.map(names_in).unwrap_or_default();
    match (allowed.is_empty(), error.code) {
        (false, _) => {
            // The quotation is the wrong name, or a placeholder whose last part is the wrong name.
            let place = quoted.map(|quoted| quoted.trim_matches(['{', '}']));
            let member = place.and_then(|place| place.rsplit('.').next());
            let written = [quoted, member, Some(word)].into_iter().flatten();
            let meant = written.clone().find(|word| nearest(word, allowed.iter().copied()).is_some());
            bad.guessing(meant.unwrap_or(word), allowed)
        }
        // An unknown name without a list of allowed names: guess from the words of the catalog.
        (true, FieldErrorCode::NotAllowed) if quoted.is_some() => bad.guessing(word, catalog.words()),
        (true, _) => bad,
    }
}

/// The halves of a message.
struct MessageParts<'m> {
    problem: Option<&'m str>,
    expected: Option<&'m str>,
}

impl<'m> MessageParts<'m> {
    fn read(message: &'m str) -> Self {
        let halves = [": expected ", "; expected ", ", expected "].iter().find_map(|mark| message.split_once(mark));
        let (problem, rest) = match (halves, message.strip_prefix("expected ")) {
            (_, Some(rest)) => (None, rest),
            (Some((problem, rest)), None) => (Some(problem), rest),
            (None, None) => return MessageParts { problem: Some(message), expected: None },
        };
        // The found value is omitted: the file shows it better than the message of the JSON reader.
        let expected = rest.split_once(", found ").map_or(rest, |(expected, _)| expected);
        MessageParts { problem, expected: Some(expected) }
    }
}

/// Returns the names in a list such as `one of a, b` or `` `a`, `b` or `c` ``; omits entries of several words.
fn names_in(expected: &str) -> Vec<&str> {
    if expected.starts_with("none, ") {
        return Vec::new();
    }
    let list = expected.strip_prefix("one of ").unwrap_or(expected);
    let names = list.split(", ").flat_map(|part| part.split(" or ")).map(|name| name.trim().trim_matches('`'));
    names.filter(|name| !name.is_empty() && !name.contains(char::is_whitespace)).collect()
}

/// Returns the first quotation in a message.
fn first_quotation(message: &str) -> Option<&str> {
    let quoted = ['`', '"'].iter().filter_map(|mark| {
        let from = message.find(*mark)? + 1;
        let length = message[from..].find(*mark)?;
        Some((from, &message[from..from + length]))
    });
    quoted.min().map(|(_, text)| text)
}

/// Removes the position from a message of an extension's JSON reader, since the user has not seen that JSON.
fn without_json_place(message: &str) -> &str {
    let Some((text, place)) = message.rsplit_once(" at line ") else { return message };
    match place.split_once(" column ") {
        Some((line, column)) if line.parse::<u64>().is_ok() && column.parse::<u64>().is_ok() => text,
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const CATALOG: &str = "types:\n  - name: plan\n    grnats: {seats: seats}\n    fields:\n      - {name: seats, type: \
                           itn}\nproducts:\n  - {id: prod_a, type: pln, price: [1]}\n";

    fn mistake_text(path: &str, code: FieldErrorCode, message: &str) -> String {
        let file = Path::new("catalog.yml");
        let catalog = Node::parse(file, CATALOG).expect("YAML");
        let error = FieldError { path: path.to_owned(), code, message: message.to_owned() };
        mistake(&catalog, &error).to_string()
    }

    #[test]
    fn each_form_of_message_is_reported_with_line_pointer_expected_value_and_guess() {
        use FieldErrorCode::*;
        for (path, code, message, expected) in [
            (
                "/types/0",
                UnknownField,
                "unknown field `grnats`: expected `name`, `grants` or `fields`, found another name",
                "catalog.yml:3: /types/0: unknown field `grnats`; expected `name`, `grants` or `fields`; did you mean \
                 `grants`?",
            ),
            (
                "/types/0/fields/0/type",
                BadFormat,
                "expected one of int, string, found another text",
                "catalog.yml:5: /types/0/fields/0/type: found `itn`; expected one of int, string; did you mean `int`?",
            ),
            (
                "/products/0/type",
                NotAllowed,
                "`pln` is no product type",
                "catalog.yml:7: /products/0/type: `pln` is no product type; expected a catalog that the extension \
                 takes; did you mean `plan`?",
            ),
            (
                "/products/0/price",
                WrongType,
                "expected minor units, a whole number",
                "catalog.yml:7: /products/0/price: found a list; expected minor units, a whole number",
            ),
            (
                "/products/0/name",
                BadFormat,
                "expected a value, found none at line 1 column 3",
                "catalog.yml:7: /products/0/name: it is missing; expected a value",
            ),
            ("/products/0/name", Missing, "required", "catalog.yml:7: /products/0/name: required; expected a value"),
            ("", Taken, "`seats` is taken", "catalog.yml:1: `seats` is taken; expected another value"),
        ] {
            assert_eq!(mistake_text(path, code, message), expected);
        }
    }

    #[test]
    fn only_the_first_quotation_of_a_problem_is_used() {
        assert_eq!(first_quotation("`free` is none of `month`, \"year\""), Some("free"));
        assert_eq!(first_quotation("\"free\" is none of `month`"), Some("free"));
        assert_eq!(first_quotation("it's `half"), None);
    }

    #[test]
    fn the_position_in_the_json_is_removed() {
        assert_eq!(without_json_place("unknown field `x` at line 1 column 7"), "unknown field `x`");
        assert_eq!(without_json_place("not at line level"), "not at line level");
    }
}
