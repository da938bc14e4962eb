//! Reads and writes the provider's answers of a scenario.
//!
//! An answer is `ok`, `lost`, `never`, `retryable CODE`, `final CODE`, `late SPAN`, or a long form: `{ok: {…}}`,
//! `{exactly: {…}}`, `{retryable: CODE, message: …}`, `{final: CODE, message: …}` or `{late: SPAN, then: ANSWER}`.

use super::write::{Unwritable, span};
use crate::error::BadInput;
use crate::tree::{Checked, Checker, Node, Tree, read_span};
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::Value;

const FORMS: &str = "ok, lost, never, `retryable CODE`, `final CODE`, `late SPAN`, or a mapping with ok, exactly, retryable, final or late";

/// First words of the short forms.
const SHORT_FORMS: [&str; 6] = ["ok", "lost", "never", "retryable", "final", "late"];

/// The default message of a failure.
const MESSAGE: &str = "as the scenario says";

/// The provider's answers to effects whose keys match a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Line of the pattern, from 1.
    pub line: usize,
    /// Pattern of the effect keys.
    pub pattern: String,
    /// The answers, in the order of the calls.
    pub list: Vec<ScriptedAnswer>,
}

/// Reads `{PATTERN: ANSWER or [ANSWER…]}`.
pub(super) fn read(check: &Checker, node: &Node) -> Checked<Vec<Answers>> {
    check.each(check.map("answers", node)?, |entry| {
        let list = match &entry.value.value {
            Tree::List(list) => check.each(list, |node| answer(check, node))?,
            _ => vec![answer(check, &entry.value)?],
        };
        match list.is_empty() {
            true => Err(check.bad(entry.place(), format!("no answer for `{}`", entry.key), FORMS)),
            false => Ok(Answers { line: entry.line, pattern: entry.key.clone(), list }),
        }
    })
}

fn answer(check: &Checker, node: &Node) -> Checked<ScriptedAnswer> {
    match &node.value {
        Tree::Text(text) => short(check, node, text),
        Tree::Map(_) => long(check, node),
        _ => Err(check.bad(node.place(), format!("an answer is {}", node.kind()), FORMS)),
    }
}

fn short(check: &Checker, node: &Node, text: &str) -> Checked<ScriptedAnswer> {
    let mut words = text.split_whitespace();
    let answer = match (words.next(), words.next(), words.next()) {
        (Some("ok"), None, _) => ScriptedAnswer::Ok(Value::Null),
        (Some("lost"), None, _) => ScriptedAnswer::Lost,
        (Some("never"), None, _) => ScriptedAnswer::Never,
        (Some("retryable"), Some(code), None) => retryable(code, MESSAGE),
        (Some("final"), Some(code), None) => ScriptedAnswer::failed(code, MESSAGE),
        (Some("late"), Some(span), None) => match crate::time::parse_span(span) {
            Some(after_ms) => ScriptedAnswer::Late { after_ms, then: Box::new(ScriptedAnswer::Ok(Value::Null)) },
            None => {
                return Err(check.bad(
                    node.place(),
                    format!("`{span}` is not a span of time"),
                    "a span such as 90s or 2h",
                ));
            }
        },
        (first, ..) => {
            let bad = BadInput::new(node.place(), format!("`{text}` is not an answer"), FORMS);
            return Err(check.note(bad.guessing(first.unwrap_or_default(), SHORT_FORMS)));
        }
    };
    Ok(answer)
}

/// The long forms, each with its optional second member.
const LONG_FORMS: [(&str, Option<&str>); 5] = [
    ("ok", None),
    ("exactly", None),
    ("retryable", Some("message")),
    ("final", Some("message")),
    ("late", Some("then")),
];

fn long(check: &Checker, node: &Node) -> Checked<ScriptedAnswer> {
    let entries = check.map("an answer", node)?;
    let has = |name: &str| entries.iter().any(|entry| entry.key == name);
    let mut forms = LONG_FORMS.iter().filter(|(form, _)| has(form));
    let (Some((form, companion)), None) = (forms.next(), forms.next()) else {
        return Err(check.bad(node.place(), "an answer has none or several of the forms", FORMS));
    };
    // The second member of another form is a known name, but has no meaning in this form.
    let of_others = LONG_FORMS.iter().filter_map(|(_, other)| *other).filter(|other| Some(*other) != *companion);
    if let Some(entry) = of_others.filter_map(|name| entries.iter().find(|entry| entry.key == name)).next() {
        let expected =
            companion.map_or_else(|| format!("`{form}` alone"), |companion| format!("one of {form}, {companion}"));
        return Err(check.bad(entry.place(), format!("`{}` has no meaning with `{form}`", entry.key), expected));
    }
    let mut fields = check.fields("an answer", node)?;
    let value = fields.need(form)?;
    let companion = companion.and_then(|name| fields.take(name));
    fields.finish()?;
    let message = |node: Option<&Node>| match node {
        Some(node) => check.text("message", node),
        None => Ok(MESSAGE.to_owned()),
    };
    Ok(match *form {
        "ok" => match &value.value {
            Tree::Map(_) | Tree::Null => ScriptedAnswer::Ok(value.json()),
            _ => return Err(check.bad(value.place(), format!("`ok` is {}", value.kind()), "a mapping of outputs")),
        },
        "exactly" => match &value.value {
            Tree::Map(_) => ScriptedAnswer::Exactly(value.json()),
            _ => {
                return Err(check.bad(value.place(), format!("`exactly` is {}", value.kind()), "a mapping of outputs"));
            }
        },
        "retryable" => retryable(&check.text(form, value)?, message(companion)?),
        "final" => ScriptedAnswer::failed(&check.text(form, value)?, message(companion)?),
        _ => {
            let then = companion.map_or(Ok(ScriptedAnswer::Ok(Value::Null)), |node| answer(check, node))?;
            if matches!(then, ScriptedAnswer::Late { .. }) {
                let expected = "ok, lost, never, retryable or final";
                return Err(check.bad(node.place(), "`late` within `late`", expected));
            }
            ScriptedAnswer::Late { after_ms: read_span(check, "late", value)?, then: Box::new(then) }
        }
    })
}

fn retryable(code: &str, message: impl Into<String>) -> ScriptedAnswer {
    ScriptedAnswer::Retryable { code: code.to_owned(), message: message.into() }
}

/// Writes answers, each in its short form if it has one.
pub(super) fn node(answers: &[Answers]) -> Result<Node, Unwritable> {
    let mut entries = Vec::with_capacity(answers.len());
    for Answers { line: _, pattern, list } in answers {
        let node = match list.as_slice() {
            [only] => answer_node(pattern, only)?,
            list => Node::list(list.iter().map(|answer| answer_node(pattern, answer)).collect::<Result<Vec<_>, _>>()?),
        };
        entries.push((pattern, node));
    }
    Ok(Node::map(entries))
}

fn answer_node(pattern: &str, answer: &ScriptedAnswer) -> Result<Node, Unwritable> {
    let failure = |form: &str, code: &str, message: &str| {
        if message == MESSAGE && !code.is_empty() && !code.contains(char::is_whitespace) {
            return Node::text(format!("{form} {code}"));
        }
        Node::map([(form, Node::text(code)), ("message", Node::text(message))])
    };
    Ok(match answer {
        ScriptedAnswer::Ok(Value::Null) => Node::text("ok"),
        ScriptedAnswer::Ok(outputs @ Value::Object(_)) => {
            let outputs = Node::from_json(outputs).ok_or_else(|| Unwritable::Number { what: pattern.to_owned() })?;
            Node::map([("ok", outputs)])
        }
        ScriptedAnswer::Exactly(outputs @ Value::Object(_)) => {
            let outputs = Node::from_json(outputs).ok_or_else(|| Unwritable::Number { what: pattern.to_owned() })?;
            Node::map([("exactly", outputs)])
        }
        ScriptedAnswer::Ok(_) | ScriptedAnswer::Exactly(_) => {
            return Err(Unwritable::Outputs { pattern: pattern.to_owned() });
        }
        ScriptedAnswer::Retryable { code, message } => failure("retryable", code, message),
        ScriptedAnswer::Final { code, message } => failure("final", code, message),
        ScriptedAnswer::Late { after_ms, then } => {
            let after = span("a late answer", *after_ms)?;
            match &**then {
                ScriptedAnswer::Ok(Value::Null) => Node::text(format!("late {after}")),
                then => Node::map([("late", Node::text(after)), ("then", answer_node(pattern, then)?)]),
            }
        }
        ScriptedAnswer::Lost => Node::text("lost"),
        ScriptedAnswer::Never => Node::text("never"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Mistakes;
    use serde_json::json;
    use std::path::Path;

    fn answers(text: &str) -> Result<Vec<Answers>, Mistakes> {
        let node = Node::parse(Path::new("x.yml"), text).expect("valid YAML");
        Checker::read(|check| read(check, &node))
    }

    #[test]
    fn short_and_long_forms_are_equivalent() {
        let short = answers("k: [ok, lost, never, retryable throttled, final quota, late 2h]").expect("answers");
        let long = answers(
            "k: [{ok: null}, lost, never, {retryable: throttled}, {final: quota}, {late: 2h, then: {ok: null}}]",
        )
        .expect("answers");
        assert_eq!(short, long);
        assert_eq!(
            short[0].list[5],
            ScriptedAnswer::Late { after_ms: 7_200_000, then: Box::new(ScriptedAnswer::Ok(Value::Null)) }
        );
    }

    #[test]
    fn an_ok_answer_can_have_outputs() {
        let found = answers("db/*: {ok: {endpoint: db.example}}").expect("answers");
        assert_eq!(
            found,
            vec![Answers {
                line: 1,
                pattern: "db/*".to_owned(),
                list: vec![ScriptedAnswer::Ok(json!({"endpoint": "db.example"}))]
            }]
        );
    }

    #[test]
    fn an_exactly_answer_must_be_a_mapping() {
        let found = answers("k: {exactly: {id: db-7}}").expect("answers");
        assert_eq!(found[0].list, vec![ScriptedAnswer::Exactly(json!({"id": "db-7"}))]);
        let error = answers("k:\n  {exactly: 1}").expect_err("no mapping").to_string();
        assert_eq!(error, "x.yml:2: `exactly` is a whole number; expected a mapping of outputs");
    }

    #[test]
    fn the_second_member_of_another_form_is_refused() {
        for (text, expected) in [
            ("{ok: {},\n then: lost}", "x.yml:2: `then` has no meaning with `ok`; expected `ok` alone"),
            ("{ok: {},\n message: m}", "x.yml:2: `message` has no meaning with `ok`; expected `ok` alone"),
            ("{final: x,\n then: lost}", "x.yml:2: `then` has no meaning with `final`; expected one of final, message"),
            ("{late: 1h,\n message: m}", "x.yml:2: `message` has no meaning with `late`; expected one of late, then"),
            (
                "{late: 1h,\n tehn: lost}",
                "x.yml:2: unknown field `tehn` in an answer; expected one of late, then; did you mean `then`?",
            ),
            ("{ok:\n 1}", "x.yml:2: `ok` is a whole number; expected a mapping of outputs"),
        ] {
            assert_eq!(answers(&format!("k: {text}")).expect_err(text).to_string(), expected);
        }
    }

    #[test]
    fn malformed_answers_are_refused_with_their_line() {
        for text in [
            "k:\n  okay",
            "k:\n  retryable",
            "k:\n  {ok: {}, lost: 2}",
            "k:\n  {ok: 1}",
            "k:\n  late soon",
            "k:\n  - 5",
            "k:\n  {late: 1h, then: late 2h}",
        ] {
            let Mistakes(told) = answers(text).expect_err(text);
            assert_eq!(told.iter().map(|bad| bad.place.line).collect::<Vec<_>>(), [2], "{text}");
        }
    }
}
