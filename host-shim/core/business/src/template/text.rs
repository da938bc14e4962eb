//! One text with placeholders.

use crate::template::error::{Form, TemplateError};
use crate::template::filters;
use crate::template::guard::guarded;
use crate::template::site::NAMES;
use host_provider_api::html::escaped;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, context};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

/// Maximum number of instructions for one text.
const STEPS_MAX: u64 = 1_000_000;
/// Maximum size of a sample text in which unknown filters are searched for, in bytes.
const SAMPLE_BYTES_MAX: usize = 1024 * 1024;
/// Maximum number of characters of an expression in a message.
const SHOWN_MAX: usize = 80;
/// The sample of a value.
const SAMPLE: &str = "1";
/// Name of an environment's only template.
const NAME: &str = "template";
/// Keywords of the statements that use another template.
const OF_FILES: [&str; 4] = ["extends", "from", "import", "include"];
/// How values are written in a text with markup.
const MARKED: &str = "marked";

/// A parsed text with placeholders.
#[derive(Debug)]
pub struct Template<'s> {
    environment: Environment<'s>,
    form: Form,
    text: &'s str,
}

impl<'s> Template<'s> {
    /// Parses a text.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if the text is not a template, or uses an unknown filter or test. An unknown filter in a branch
    /// that is not reached when the values are strings is found only by [`Template::fill`].
    pub fn parse(text: &'s str, form: Form) -> Result<Self, TemplateError> {
        let escape = match form {
            Form::Plain => AutoEscape::None,
            Form::Html => AutoEscape::Html,
        };
        Template::parse_as(text, form, escape)
    }

    /// Parses a text with the markup of [`crate::template::marked`]. The values in it are guarded, so they create no markup.
    pub(crate) fn parse_marked(text: &'s str) -> Result<Self, TemplateError> {
        Template::parse_as(text, Form::Plain, AutoEscape::Custom(MARKED))
    }

    fn parse_as(text: &'s str, form: Form, escape: AutoEscape) -> Result<Self, TemplateError> {
        // A mail is a single file, whereas pages contain such statements.
        if let Some(Statement { line, word, .. }) = of_files(text).next() {
            let problem = format!("unknown statement {word}");
            return Err(TemplateError::new(form, line, problem, "a template, such as `Hello {{ name }}`".to_owned()));
        }
        let mut environment = Environment::new();
        environment.set_debug(false);
        environment.set_keep_trailing_newline(true);
        // A condition may test a value that does not exist; a placeholder needs one.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_auto_escape_callback(move |_| escape);
        environment.set_formatter(write_value);
        filters::add(&mut environment);
        environment.add_template(NAME, text).map_err(|error| {
            let problem = error.detail().unwrap_or("it is not a template").to_owned();
            TemplateError::new(form, error.line().unwrap_or(1), problem, "a template, such as `Hello {{ name }}`")
        })?;
        let template = Template { environment, form, text };
        template.check_names()?;
        Ok(template)
    }

    /// Returns the placeholders whose values the template needs. The name of a nested member contains dots. Names that every
    /// template may use, such as `site.title`, are not included.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let mut placeholders = self.all_placeholders();
        placeholders.retain(|name| !NAMES.contains(&name.as_str()));
        placeholders
    }

    /// Returns all placeholders.
    pub(crate) fn all_placeholders(&self) -> BTreeSet<String> {
        let Ok(template) = self.environment.get_template(NAME) else { return BTreeSet::new() };
        let mut placeholders: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
        for (name, _) in self.environment.globals() {
            placeholders.remove(name);
        }
        placeholders
    }

    /// Fills in the placeholders once: placeholders within values are left as they are. Null becomes the empty string, a list or an
    /// object JSON.
    ///
    /// # Errors
    /// Fails with [`TemplateError`] if a placeholder has no value, an expression does not fit its values, or the text is longer than
    /// `bytes_max`.
    pub fn fill(&self, values: &Map<String, Value>, bytes_max: usize) -> Result<String, TemplateError> {
        self.render(values, bytes_max).map_err(|error| self.explained(&error, values, bytes_max))
    }

    /// Fills in the placeholders of a layout around HTML content.
    pub(crate) fn fill_around(
        &self,
        values: &Map<String, Value>,
        content: &str,
        bytes_max: usize,
    ) -> Result<String, TemplateError> {
        let content = minijinja::Value::from_safe_string(content.to_owned());
        let all = context! { content, ..minijinja::Value::from_serialize(values) };
        self.render(&all, bytes_max).map_err(|error| self.explained(&error, values, bytes_max))
    }

    fn render(&self, values: &impl Serialize, bytes_max: usize) -> Result<String, Error> {
        let mut out = Bounded::new(bytes_max);
        self.environment.get_template(NAME)?.render_captured_to(values, &mut out)?;
        out.into_text().ok_or_else(|| Error::from(ErrorKind::WriteFailure))
    }

    /// Searches for unknown names of filters and tests by filling in a sample, since parsing does not find them. An unknown function
    /// counts as a placeholder without a value.
    fn check_names(&self) -> Result<(), TemplateError> {
        let mut sample = Map::new();
        self.all_placeholders().iter().for_each(|placeholder| add_sample(&mut sample, placeholder));
        match self.render(&sample, SAMPLE_BYTES_MAX) {
            Err(error) if is_unknown_name(error.kind()) => Err(self.explained(&error, &sample, SAMPLE_BYTES_MAX)),
            _ => Ok(()),
        }
    }

    /// Describes an error without its details, which may contain values.
    fn explained(&self, error: &Error, values: &Map<String, Value>, bytes_max: usize) -> TemplateError {
        let expression = error.range().and_then(|range| self.text.get(range)).unwrap_or("it");
        let shown: String = expression.chars().take(SHOWN_MAX).collect();
        let (problem, expected) = match error.kind() {
            ErrorKind::UndefinedError => {
                let name = self.missing(expression, values).unwrap_or(shown);
                let expected = format!("a value, or a template with a default: `{{{{ {name} | default(\"\") }}}}`");
                (format!("`{name}` has no value"), expected)
            }
            ErrorKind::OutOfFuel => {
                ("it takes too many steps".to_owned(), format!("a template of at most {STEPS_MAX} steps"))
            }
            ErrorKind::WriteFailure => {
                ("it is too long when filled".to_owned(), format!("a text of at most {bytes_max} bytes"))
            }
            kind if is_unknown_name(kind) => {
                (format!("`{shown}` is an {kind}"), "a filter or test of minijinja".to_owned())
            }
            kind => (format!("`{shown}`: {kind}"), "an expression that fits its values".to_owned()),
        };
        TemplateError::new(self.form, error.line().unwrap_or(1), problem, expected)
    }

    /// Returns the placeholder that has no value: the expression or, if it is a filter, the first placeholder without a value.
    fn missing(&self, expression: &str, values: &Map<String, Value>) -> Option<String> {
        let placeholders = self.placeholders();
        let has_value = |placeholder: &str| {
            let mut names = placeholder.split('.');
            let first = names.next().and_then(|name| values.get(name));
            names.try_fold(first, |value, name| Some(value?.get(name))).flatten().is_some()
        };
        match placeholders.contains(expression) {
            true => Some(expression.to_owned()),
            false => placeholders.into_iter().find(|placeholder| !has_value(placeholder)),
        }
    }
}

fn is_unknown_name(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnknownFilter | ErrorKind::UnknownTest)
}

/// Adds a value for a placeholder whose name contains dots.
fn add_sample(values: &mut Map<String, Value>, placeholder: &str) {
    let Some((first, rest)) = placeholder.split_once('.') else {
        values.entry(placeholder).or_insert_with(|| SAMPLE.into());
        return;
    };
    let value = values.entry(first).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(members) = value {
        add_sample(members, rest);
    }
}

/// Writes a value as JSON, except that a string has no quotes and null is the empty string.
fn write_value(out: &mut Output<'_>, state: &State<'_, '_>, value: &minijinja::Value) -> Result<(), Error> {
    let text = match (value.as_str(), value.kind()) {
        (Some(text), _) => Cow::Borrowed(text),
        (None, ValueKind::None | ValueKind::Undefined) => return Ok(()),
        _ => Cow::Owned(serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::BadSerialization))?),
    };
    match state.auto_escape() {
        AutoEscape::Html if !value.is_safe() => out.write_str(&escaped(&text))?,
        AutoEscape::Custom(MARKED) if !value.is_safe() => out.write_str(&guarded(&text))?,
        _ => out.write_str(&text)?,
    }
    Ok(())
}

/// A text that refuses to grow beyond its maximum.
#[derive(Debug)]
pub struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Bounded {
    /// Creates an empty text of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Bounded {
        Bounded { bytes: Vec::new(), bytes_max }
    }

    /// Returns the text; none if it is not UTF-8.
    pub fn into_text(self) -> Option<String> {
        String::from_utf8(self.bytes).ok()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.bytes.len() + bytes.len() > self.bytes_max {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => self.bytes.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A statement of a template: `{% include "a.html" %}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'t> {
    /// Line in the template, from 1.
    pub line: usize,
    /// First word.
    pub word: &'t str,
    /// The text between `{%` and `%}`.
    pub text: &'t str,
}

/// Returns the statements that use another template, in text order.
pub fn of_files(template: &str) -> impl Iterator<Item = Statement<'_>> {
    template.match_indices("{%").filter_map(|(at, _)| {
        let rest = &template[at + 2..];
        let text = rest.find("%}").map_or(rest, |end| &rest[..end]);
        let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let word = &begin[..begin.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(begin.len())];
        let line = template[..at].matches('\n').count() + 1;
        OF_FILES.contains(&word).then_some(Statement { line, word, text })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const BYTES_MAX: usize = 1000;

    fn fill_as(text: &str, form: Form, values: Value) -> Result<String, String> {
        let values = values.as_object().expect("an object");
        let filled = Template::parse(text, form).and_then(|template| template.fill(values, BYTES_MAX));
        filled.map_err(|error| error.to_string())
    }

    fn fill(text: &str, values: Value) -> Result<String, String> {
        fill_as(text, Form::Plain, values)
    }

    #[test]
    fn values_are_written_as_json_shows_them() {
        let values = json!({"text": "<a> {{ b }}", "number": 3, "part": 1.50, "large": u64::MAX, "truth": true,
            "null": null, "list": [1, "a"], "object": {"a": {"b": 1}}});
        for (text, expected) in [
            ("{{ text }}", "<a> {{ b }}"),
            ("{{number}},{{ part }},{{ large }},{{ truth }}", "3,1.5,18446744073709551615,true"),
            ("[{{ null }}]", "[]"),
            ("{{ list }} {{ object }} {{ object.a.b }}", r#"[1,"a"] {"a":{"b":1}} 1"#),
            ("{% for part in list %}{{ part }};{% endfor %}", "1;a;"),
            ("{% if truth %}yes{% else %}no{% endif %} {{ text | upper }}", "yes <A> {{ B }}"),
            ("{{ missing | default('none') }}{% if missing is defined %}!{% endif %}", "none"),
            ("{% if missing %}!{% endif %}{{ missing or number }}", "3"),
            ("a { color: red } {a b} { {\r\n\n", "a { color: red } {a b} { {\r\n\n"),
            ("", ""),
        ] {
            assert_eq!(fill(text, values.clone()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn values_are_escaped_in_html_only() {
        let values = json!({"name": "<b title=\"/x\">'&'</b>", "list": ["<"]});
        let text = "<p>{{ name }}{{ list }}</p>";
        assert_eq!(fill(text, values.clone()).as_deref(), Ok("<p><b title=\"/x\">'&'</b>[\"<\"]</p>"));
        let expected = "<p>&lt;b title=&quot;/x&quot;&gt;&#39;&amp;&#39;&lt;/b&gt;[&quot;&lt;&quot;]</p>";
        assert_eq!(fill_as(text, Form::Html, values.clone()).as_deref(), Ok(expected));
        assert_eq!(fill_as("{{ '<i>' | safe }}", Form::Html, values).as_deref(), Ok("<i>"));
    }

    #[test]
    fn the_placeholders_are_those_that_need_a_value() {
        let text = "{{ b }}{{ a.x.y }}{% for c in list %}{{ c.z }}{{ loop.index }}{% endfor %}{% set d = e %}{{ d }}\
            {% if f is defined %}{{ f }}{% endif %}{{ range(2) }}{{ h | default(g) }}{# i #}{{ 'j' }}{{ k() }}";
        let template = Template::parse(text, Form::Plain).expect("a template");
        assert_eq!(
            template.placeholders().into_iter().collect::<Vec<_>>(),
            ["a.x.y", "b", "e", "f", "g", "h", "k", "list"]
        );
    }

    #[test]
    fn a_placeholder_without_a_value_is_an_error() {
        for (text, expression, line) in [
            ("a\n{{ name }}", "name", 2),
            ("{{ user.name }}", "user.name", 1),
            ("{{ name | upper }}", "name", 1),
            ("{{ user.name | upper }}", "user.name", 1),
            ("{{ user['name'] }}", "user['name']", 1),
            ("{{ other | default('') }}{{ name }}", "name", 1),
        ] {
            let error = fill(text, json!({"user": {}})).expect_err("no value");
            let expected = format!("line {line} of the .txt: `{expression}` has no value; expected a value, or ");
            assert!(error.starts_with(&expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_invalid_template_is_refused() {
        for (text, expected) in [
            ("{{ name", "line 1 of the .txt: unexpected end of input"),
            ("a\n{% if a %}", "line 2 of the .txt: unexpected end of input"),
            ("{% include 'b.txt' %}", "line 1 of the .txt: unknown statement include"),
            ("{{ name | uper }}", "line 1 of the .txt: `uper` is an unknown filter; expected a filter or test"),
            ("{{ user.name | uper }}", "line 1 of the .txt: `uper` is an unknown filter"),
            ("\n{% if name is prety %}{% endif %}", "line 2 of the .txt: `prety` is an unknown test"),
        ] {
            let error = Template::parse(text, Form::Plain).expect_err("an invalid template").to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn an_error_contains_no_value() {
        let error = fill("{{ name + 1 }}", json!({"name": "Ana"})).expect_err("no sum");
        assert!(error.contains("`name + 1`: invalid operation") && !error.contains("Ana"), "{error}");
        let error = fill("{{ name | int }}", json!({"name": "Ana"})).expect_err("no number");
        assert!(!error.contains("Ana"), "{error}");
    }

    #[test]
    fn length_and_steps_have_a_maximum() {
        let long = json!({"x": "y".repeat(BYTES_MAX)});
        assert_eq!(fill("{{ x }}", long.clone()).map(|text| text.len()), Ok(BYTES_MAX));
        let error = fill("{{ x }}z", long).expect_err("too long");
        assert!(error.contains("too long when filled; expected a text of at most 1000 bytes"), "{error}");
        let loops = "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}";
        let error = fill(loops, json!({})).expect_err("too many steps");
        assert!(error.contains("too many steps"), "{error}");
    }

    proptest! {
        #[test]
        fn a_text_without_braces_stays_as_it_is(text in "[ -z|~äß€🎉\n]{0,40}") {
            prop_assert_eq!(fill(&text, json!({})), Ok(text.clone()));
        }

        #[test]
        fn any_text_is_a_template_or_refused(text in "([{}%#| a.\n]|if|endif|for|\"){0,20}") {
            let _ = fill(&text, json!({"a": "{a}"}));
        }
    }
}
