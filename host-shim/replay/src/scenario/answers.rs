//! The provider's answers as a scenario writes them.
//!
//! `ok`, `lost`, `never`, `retryable CODE`, `final CODE`, `late SPAN`, or the long forms `{ok: {…}}`,
//! `{retryable: CODE, message: …}`, `{final: CODE, message: …}` and `{late: SPAN, then: ANSWER}`.

use crate::error::BadInput;
use crate::tree::{Node, Reader, Tree};
use host_providers::scripted::ScriptedAnswer;
use serde_json::Value;

const FORMS: &str =
    "ok, lost, never, `retryable CODE`, `final CODE`, `late SPAN`, or a mapping with ok, retryable, final or late";

/// What the provider answers to the effects whose keys fit a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Line of the pattern, from 1.
    pub line: usize,
    /// Pattern of effect keys.
    pub pattern: String,
    /// The answers, in the order of the calls.
    pub list: Vec<ScriptedAnswer>,
}

/// Reads `{PATTERN: ANSWER or [ANSWER…]}`.
pub(super) fn read(reader: Reader<'_>, node: &Node) -> Result<Vec<Answers>, BadInput> {
    let entries = reader.map("answers", node)?;
    entries
        .iter()
        .map(|entry| {
            let list = match &entry.value.value {
                Tree::List(list) => list.iter().map(|node| answer(reader, node)).collect::<Result<Vec<_>, _>>()?,
                _ => vec![answer(reader, &entry.value)?],
            };
            match list.is_empty() {
                true => Err(reader.bad(entry.line, format!("no answer for `{}`", entry.key), FORMS)),
                false => Ok(Answers { line: entry.line, pattern: entry.key.clone(), list }),
            }
        })
        .collect()
}

fn answer(reader: Reader<'_>, node: &Node) -> Result<ScriptedAnswer, BadInput> {
    match &node.value {
        Tree::Text(text) => short(reader, node.line, text),
        Tree::Map(_) => long(reader, node),
        _ => Err(reader.bad(node.line, format!("an answer is {}", node.kind()), FORMS)),
    }
}

fn short(reader: Reader<'_>, line: usize, text: &str) -> Result<ScriptedAnswer, BadInput> {
    let mut words = text.split_whitespace();
    let answer = match (words.next(), words.next(), words.next()) {
        (Some("ok"), None, _) => ScriptedAnswer::Ok(Value::Null),
        (Some("lost"), None, _) => ScriptedAnswer::Lost,
        (Some("never"), None, _) => ScriptedAnswer::Never,
        (Some("retryable"), Some(code), None) => retryable(code, None),
        (Some("final"), Some(code), None) => ScriptedAnswer::failed(code, "as the scenario says"),
        (Some("late"), Some(span), None) => match crate::time::parse_span(span) {
            Some(after_ms) => ScriptedAnswer::Late { after_ms, then: Box::new(ScriptedAnswer::Ok(Value::Null)) },
            None => return Err(reader.bad(line, format!("`{span}` is no span of time"), "a span such as 90s or 2h")),
        },
        _ => return Err(reader.bad(line, format!("`{text}` is no answer"), FORMS)),
    };
    Ok(answer)
}

fn long(reader: Reader<'_>, node: &Node) -> Result<ScriptedAnswer, BadInput> {
    let mut fields = reader.fields("an answer", node)?;
    let message = fields.take("message").map(|n| reader.text("message", n)).transpose()?;
    let then = fields.take("then");
    let (ok, retry, end, late) =
        (fields.take("ok"), fields.take("retryable"), fields.take("final"), fields.take("late"));
    let found = match (ok, retry, end, late) {
        (Some(outputs), None, None, None) => ScriptedAnswer::Ok(outputs.json()),
        (None, Some(code), None, None) => retryable(&reader.text("retryable", code)?, message),
        (None, None, Some(code), None) => ScriptedAnswer::failed(
            &reader.text("final", code)?,
            message.unwrap_or_else(|| "as the scenario says".to_owned()),
        ),
        (None, None, None, Some(span)) => {
            let then = match then {
                Some(node) => answer(reader, node)?,
                None => ScriptedAnswer::Ok(Value::Null),
            };
            if matches!(then, ScriptedAnswer::Late { .. }) {
                return Err(reader.bad(
                    node.line,
                    "a late answer is late again",
                    "ok, lost, never, retryable or final",
                ));
            }
            ScriptedAnswer::Late { after_ms: reader.span("late", span)?, then: Box::new(then) }
        }
        _ => return Err(reader.bad(node.line, "an answer says nothing or several things", FORMS)),
    };
    fields.finish()?;
    Ok(found)
}

fn retryable(code: &str, message: Option<String>) -> ScriptedAnswer {
    let message = message.unwrap_or_else(|| "as the scenario says".to_owned());
    ScriptedAnswer::Retryable { code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn answers(text: &str) -> Result<Vec<Answers>, BadInput> {
        let file = Path::new("x.yml");
        read(Reader { file }, &Node::parse(file, text).expect("valid YAML"))
    }

    #[test]
    fn short_and_long_forms_say_the_same() {
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
    fn outputs_stand_in_ok() {
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
    fn what_is_no_answer_is_refused_with_its_line() {
        for text in [
            "k:\n  okay",
            "k:\n  retryable",
            "k:\n  {ok: 1, lost: 2}",
            "k:\n  late soon",
            "k:\n  - 5",
            "k:\n  {late: 1h, then: late 2h}",
        ] {
            assert_eq!(answers(text).expect_err(text).place.line, 2, "{text}");
        }
    }
}
