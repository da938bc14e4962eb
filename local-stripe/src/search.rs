//! Stripe's query language for searches, such as `status:'active' AND -metadata['k']:null`. Clauses are joined either
//! by `AND` or a space, or by `OR`, but not by both. There are no parentheses.

use serde_json::Value;

use crate::object::Object;

/// The maximum number of clauses of a query, Stripe's limit.
pub const CLAUSES_MAX: usize = 10;
/// The minimum length of a substring, Stripe's limit.
pub const SUBSTRING_CHARS_MIN: usize = 3;

/// The type of a searchable field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A string that is compared as a whole, ignoring case.
    Token,
    /// A string that is compared as a whole or, with `~`, searched for a substring, ignoring case.
    Text,
    /// A number that is compared with `:`, `<`, `<=`, `>` or `>=`.
    Number,
}

/// The searchable fields of a kind of object: the dotted path of each member, and its type.
pub type Fields = &'static [(&'static str, FieldType)];

/// The comparison operator of a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Null,
    Text(String),
    Number(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Clause {
    negated: bool,
    /// The names on the member's path. They are not joined, as a metadata key may contain any character.
    path: Vec<String>,
    compare: Compare,
    wanted: Wanted,
}

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    clauses: Vec<Clause>,
    any: bool,
}

impl Query {
    /// Parses a query over the fields of a kind of object.
    ///
    /// # Errors
    /// The query is invalid. The returned text is the message of the API's error.
    pub fn read(text: &str, fields: Fields) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim_start() };
        let (mut clauses, mut joins) = (Vec::new(), Vec::new());
        loop {
            clauses.push(reader.clause(fields)?);
            if clauses.len() > CLAUSES_MAX {
                return Err(format!("We only support up to {CLAUSES_MAX} clauses in a query."));
            }
            match reader.join() {
                None if reader.rest.is_empty() => break,
                None => joins.push("and"),
                Some(word) => joins.push(word),
            }
        }
        let any = joins.contains(&"or");
        if any && joins.contains(&"and") {
            return Err("We don't support combining AND and OR in the same query.".into());
        }
        Ok(Self { clauses, any })
    }

    /// Whether an object matches the query.
    pub fn fits(&self, object: &Object) -> bool {
        let holds = |clause: &Clause| clause.holds(object) != clause.negated;
        if self.any { self.clauses.iter().any(holds) } else { self.clauses.iter().all(holds) }
    }
}

impl Clause {
    fn holds(&self, object: &Object) -> bool {
        let Some((first, rest)) = self.path.split_first() else { return false };
        let value = rest.iter().fold(object.get(first), |value, name| value.get(name).unwrap_or(&Value::Null));
        match &self.wanted {
            Wanted::Null => value.is_null(),
            Wanted::Text(wanted) => {
                let shown = match value {
                    Value::String(text) => text.to_lowercase(),
                    Value::Bool(flag) => flag.to_string(),
                    Value::Number(number) => number.to_string(),
                    _ => return false,
                };
                if self.compare == Compare::Contains { shown.contains(wanted) } else { shown == *wanted }
            }
            Wanted::Number(wanted) => {
                let Some(number) = value.as_i64() else { return false };
                match self.compare {
                    Compare::Less => number < *wanted,
                    Compare::LessOrEqual => number <= *wanted,
                    Compare::Greater => number > *wanted,
                    Compare::GreaterOrEqual => number >= *wanted,
                    Compare::Equal | Compare::Contains => number == *wanted,
                }
            }
        }
    }
}

struct Reader<'q> {
    rest: &'q str,
}

impl<'q> Reader<'q> {
    fn clause(&mut self, fields: Fields) -> Result<Clause, String> {
        let negated = self.take("-");
        let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if name.is_empty() {
            return Err(self.unexpected("a field"));
        }
        let (path, kind) = if name == "metadata" {
            if !self.take("[") {
                return Err("Metadata is searched by key, as in metadata['key']:'value'.".into());
            }
            let key = self.quoted()?.ok_or_else(|| self.unexpected("a quoted metadata key"))?;
            if !self.take("]") {
                return Err(self.unexpected("]"));
            }
            (vec![name.to_owned(), key], FieldType::Token)
        } else {
            let known = fields.iter().find(|(field, _)| *field == name);
            let (_, kind) = known.ok_or_else(|| {
                let names: Vec<&str> = fields.iter().map(|(field, _)| *field).collect();
                format!(
                    "Field `{name}` is an unsupported search field for this resource: use one of {}, metadata.",
                    names.join(", ")
                )
            })?;
            (name.split('.').map(str::to_owned).collect(), *kind)
        };
        let compare = self.compare(name, kind)?;
        let wanted = self.value(name, kind, compare)?;
        Ok(Clause { negated, path, compare, wanted })
    }

    fn compare(&mut self, name: &str, kind: FieldType) -> Result<Compare, String> {
        let signs = [
            (">=", Compare::GreaterOrEqual),
            ("<=", Compare::LessOrEqual),
            (">", Compare::Greater),
            ("<", Compare::Less),
            (":", Compare::Equal),
            ("~", Compare::Contains),
        ];
        let (sign, compare) =
            signs.into_iter().find(|(sign, _)| self.take(sign)).ok_or_else(|| self.unexpected("an operator"))?;
        let allowed = match compare {
            Compare::Equal => true,
            Compare::Contains => kind == FieldType::Text,
            _ => kind == FieldType::Number,
        };
        if allowed { Ok(compare) } else { Err(format!("Operator `{sign}` is not supported for field `{name}`.")) }
    }

    fn value(&mut self, name: &str, kind: FieldType, compare: Compare) -> Result<Wanted, String> {
        let quoted = self.quoted()?;
        if quoted.is_none() {
            let word = self.word(|c| !c.is_whitespace());
            if compare == Compare::Equal && word.eq_ignore_ascii_case("null") {
                return Ok(Wanted::Null);
            }
            let number = word.parse().map(Wanted::Number);
            return match (kind, number) {
                (FieldType::Number, number) => {
                    number.map_err(|_| format!("Field `{name}` takes a number, not `{word}`."))
                }
                _ => Err(format!("The value of field `{name}` must be in quotes, as in {name}:'value'.")),
            };
        }
        let text = quoted.unwrap_or_default();
        if kind == FieldType::Number {
            let number = text.parse().map(Wanted::Number);
            return number.map_err(|_| format!("Field `{name}` takes a number, not `{text}`."));
        }
        if compare == Compare::Contains && text.chars().count() < SUBSTRING_CHARS_MIN {
            return Err(format!("A substring must have at least {SUBSTRING_CHARS_MIN} characters."));
        }
        Ok(Wanted::Text(text.to_lowercase()))
    }

    /// Reads a text in single or double quotes; a backslash escapes the next character.
    fn quoted(&mut self) -> Result<Option<String>, String> {
        let Some(mark) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                end if end == mark => {
                    self.rest = &self.rest[at + mark.len_utf8()..];
                    return Ok(Some(text));
                }
                other => text.push(other),
            }
        }
        Err("The query has a quote that isn't closed.".into())
    }

    /// Reads `AND` or `OR` between two clauses.
    fn join(&mut self) -> Option<&'static str> {
        let trimmed = self.rest.trim_start();
        let spaced = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        let word: String = trimmed.chars().take_while(char::is_ascii_alphabetic).collect();
        let join = ["and", "or"].into_iter().find(|join| spaced && word.eq_ignore_ascii_case(join))?;
        let after = &trimmed[word.len()..];
        if !after.starts_with(char::is_whitespace) {
            return None;
        }
        self.rest = after.trim_start();
        Some(join)
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> &'q str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn unexpected(&self, wanted: &str) -> String {
        let found: String = self.rest.chars().take(20).collect();
        if found.is_empty() {
            return format!("We were unable to parse your search query: it ends where {wanted} is expected.");
        }
        format!("We were unable to parse your search query: {wanted} is expected at `{found}`.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const FIELDS: Fields = &[
        ("status", FieldType::Token),
        ("name", FieldType::Text),
        ("amount", FieldType::Number),
        ("active", FieldType::Token),
        ("card.last4", FieldType::Token),
    ];

    fn fits(query: &str) -> bool {
        let object = json!({
            "status": "active", "name": "Jane Doe", "amount": 500, "active": true, "card": {"last4": "4242"},
            "metadata": {"a \"b\"": "X", "n": "1"},
        });
        Query::read(query, FIELDS).unwrap().fits(&Object::of(object))
    }

    #[test]
    fn clauses_match_objects() {
        for holds in [
            "status:'active'",
            "status:\"ACTIVE\"",
            "name~'jane'",
            "name:'jane doe'",
            "amount>499",
            "amount>=500",
            "amount<=500",
            "amount:500",
            "amount:'500'",
            "active:'true'",
            "card.last4:'4242'",
            "metadata['n']:'1'",
            "metadata[\"a \\\"b\\\"\"]:'x'",
            "metadata['none']:null",
            "-metadata['n']:null",
            "-status:'canceled'",
        ] {
            assert!(fits(holds), "{holds}");
        }
        for holds_not in
            ["status:'activ'", "name~'john'", "amount<500", "amount>500", "metadata['n']:null", "-amount:500"]
        {
            assert!(!fits(holds_not), "{holds_not}");
        }
    }

    #[test]
    fn clauses_are_joined_by_and_or_by_or() {
        assert!(fits("status:'active' AND amount:500") && fits("status:'active' amount:500"));
        assert!(!fits("status:'active' and amount:1") && !fits("status:'active' amount:1"));
        assert!(fits("status:'none' OR amount:500") && !fits("status:'none' or amount:1"));
    }

    #[test]
    fn invalid_queries_are_refused_with_a_message() {
        for (query, words) in [
            ("", "a field is expected"),
            ("status", "an operator is expected"),
            ("status:active", "in quotes"),
            ("status:'active", "isn't closed"),
            ("status~'act'", "not supported"),
            ("status>'1'", "not supported"),
            ("amount:'x'", "takes a number"),
            ("name~'ja'", "at least 3"),
            ("color:'red'", "unsupported search field"),
            ("metadata:'x'", "by key"),
            ("metadata['x':'y'", "] is expected"),
            ("status:'a' AND amount:1 OR amount:2", "combining"),
            ("status:'a' AND", "unsupported search field"),
            ("(status:'a')", "a field is expected"),
        ] {
            let refused = Query::read(query, FIELDS).unwrap_err();
            assert!(refused.contains(words), "{query}: {refused}");
        }
        assert!(Query::read(&["amount:1"; CLAUSES_MAX].join(" "), FIELDS).is_ok());
        assert!(Query::read(&["amount:1"; CLAUSES_MAX + 1].join(" "), FIELDS).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            let _ = Query::read(&text, FIELDS);
        }

        #[test]
        fn a_quoted_value_with_any_characters_is_found(value in "[^\\\\']{1,20}") {
            let object = Object::of(json!({ "status": value }));
            let query = Query::read(&format!("status:'{value}'"), FIELDS).unwrap();
            prop_assert!(query.fits(&object));
        }
    }
}
