//! Reports the mistakes that an extension found in a catalog, with the file and line of each value and with what was found there.

use crate::core_level;
use crate::folder::{BusinessFolder, CATALOG_FILE, is_of_another_file};
use crate::yaml::Node;
use crate::yaml::bad_input::{BadInput, Place, Reported};
use extension_contract::pointer::unescaped;
use extension_contract::{FieldError, FieldErrorCode, Outcome, Refusal};
use host_engine::processor::Report;
use std::path::Path;

/// Returns the mistakes in a refused catalog in line order; at least one. If there are too many, the last one says so.
pub(super) fn mistakes(business: &BusinessFolder, report: &Report) -> Vec<BadInput> {
    match report.result.outcome() {
        Some(Outcome::Rejected(Refusal::Invalid(errors))) if !errors.is_empty() => {
            let mut mistakes: Vec<BadInput> = errors.iter().map(|error| mistake(&business.lines, error)).collect();
            mistakes.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
            mistakes
        }
        _ => {
            let reason = report.result.reason().unwrap_or_default();
            let problem = format!("the extension returned {}: {reason}", report.result.name());
            let place = Place::file(&business.folder.join(CATALOG_FILE));
            vec![BadInput::new(place, problem, "a catalog that the extension takes")]
        }
    }
}

/// Returns the position of a mistake, for sorting; the note that there are more comes last.
fn place_of(mistake: &BadInput) -> (bool, &Path, usize) {
    let is_more = mistake.reported.as_ref().is_some_and(|reported| reported.code == FieldErrorCode::More);
    (is_more, &mistake.place.file, mistake.place.line)
}

fn mistake(catalog: &Node, error: &FieldError) -> BadInput {
    let mut error = error.clone();
    // The extension's document contains the clauses of all files.
    if error.code == FieldErrorCode::UnknownField && error.path.matches('/').count() == 1 {
        error.expected.retain(|clause| !is_of_another_file(clause));
        let is_ours = error.expected.iter().any(|clause| clause == "product_types");
        let words = core_level::CLAUSES.iter().chain(&core_level::POLICY_WORDS).filter(|_| is_ours);
        // The full level has `coupons`, too.
        let new: Vec<_> = words.filter(|word| !error.expected.iter().any(|known| known == *word)).collect();
        error.expected.extend(new.into_iter().map(|word| (*word).to_owned()));
        let written = error.path.trim_start_matches('/').to_owned();
        error = error.suggesting(&written);
    }
    let problem = match (error.found.as_str(), catalog.at(&error.path)) {
        ("", Ok(value)) => match value.scalar() {
            Some(text) => format!("found `{text}`"),
            None => format!("found {}", value.kind()),
        },
        ("", Err(_)) => "it is missing".to_owned(),
        (found, _) => found.to_owned(),
    };
    let expected = match error.expected.is_empty() {
        true => expected_by(error.code).to_owned(),
        false => error.expectation(),
    };
    // The line that there are more mistakes is about no value.
    let is_translated = error.code != FieldErrorCode::More && is_translated(catalog, &error.path);
    let place = match error.code {
        FieldErrorCode::More => Place::file(&catalog.place().file),
        // The author has not written this place in the full level.
        _ if is_translated => catalog.place_at(&error.path),
        _ => catalog.place_at(&error.path).at(&error.path),
    };
    let problem = match error.path.rsplit('/').next().filter(|_| is_translated) {
        Some(name) if !problem.contains('`') || error.found.is_empty() => format!("`{}`: {problem}", unescaped(name)),
        _ => problem,
    };
    BadInput {
        guess: error.suggestion.map(Into::into),
        reported: Some(Box::new(Reported { code: error.code, expected: error.expected })),
        ..BadInput::new(place, problem, expected)
    }
}

/// Returns whether a value comes from a clause in the core level, whose translation has lines but no columns.
fn is_translated(catalog: &Node, path: &str) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    ends.filter_map(|end| catalog.at(&path[..end]).ok()).any(|node| node.line > 0 && node.column == 0)
}

/// Returns the expected value for an error code, if the extension does not give one.
fn expected_by(code: FieldErrorCode) -> &'static str {
    match code {
        FieldErrorCode::Missing => "a value",
        FieldErrorCode::ReadOnly => "the previous value",
        _ => "another value",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::Expected;

    const CATALOG: &str = "types:\n  - name: plan\n    grnats:\n      seats: seats\n    fields:\n      - {name: seats, type: \
                           itn}\nproducts:\n  - {id: prod_a, type: pln, price: [1]}\n";

    #[test]
    fn each_mistake_is_reported_with_line_pointer_expected_value_and_guess() {
        use FieldErrorCode::*;
        let catalog = Node::parse(Path::new("catalog.yml"), CATALOG).expect("YAML");
        let error =
            |path: &str, code, found: &str, expected: Expected| FieldError::new(path, code, found).expecting(expected);
        for (error, expected) in [
            (
                error("/types/0/grnats", UnknownField, "unknown field `grnats`", Expected::names(["name", "grants"]))
                    .suggesting("grnats"),
                "catalog.yml:3: /types/0/grnats: unknown field `grnats`; expected one of name, grants; did you mean `grants`?",
            ),
            (
                error("/types/0/fields/0/type", NotAllowed, "", Expected::names(["int", "string"])).suggesting("itn"),
                "catalog.yml:6: /types/0/fields/0/type: found `itn`; expected one of int, string; did you mean `int`?",
            ),
            (
                error("/products/0/price", WrongType, "", "minor units, a whole number".into()),
                "catalog.yml:8: /products/0/price: found a list; expected minor units, a whole number",
            ),
            (
                error("/products/0/name", Missing, "", "a value".into()),
                "catalog.yml:8: /products/0/name: it is missing; expected a value",
            ),
            (
                error("/products/0/name", Missing, "required", "".into()),
                "catalog.yml:8: /products/0/name: required; expected a value",
            ),
            (
                error("", Taken, "`seats` is taken", "".into()),
                "catalog.yml:1: `seats` is taken; expected another value",
            ),
            (
                error("", More, "more is wrong", "these to be corrected first".into()),
                "catalog.yml: more is wrong; expected these to be corrected first",
            ),
        ] {
            assert_eq!(mistake(&catalog, &error).to_string(), expected);
        }
    }
}
