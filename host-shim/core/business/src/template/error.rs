//! The error type of templates.

/// The format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Plain text. Values are not escaped.
    Plain,
    /// HTML. Values are escaped.
    Html,
}

impl Form {
    /// Returns the extension of a file with such a text.
    pub fn extension(self) -> &'static str {
        match self {
            Form::Plain => "txt",
            Form::Html => "html",
        }
    }
}

/// The reason why a template cannot be used. It contains no value, since values are personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the .{}: {problem}; expected {expected}", form.extension())]
pub struct TemplateError {
    /// The format of the template.
    pub form: Form,
    /// Line, from 1.
    pub line: usize,
    /// Description of the mistake.
    pub problem: String,
    /// Description of a correct template.
    pub expected: String,
}

impl TemplateError {
    pub(crate) fn new(form: Form, line: usize, problem: impl Into<String>, expected: impl Into<String>) -> Self {
        TemplateError { form, line, problem: problem.into(), expected: expected.into() }
    }

    /// Moves the line, for a template that begins `lines` lines after the start of its file.
    pub(crate) fn moved(self, lines: usize) -> Self {
        TemplateError { line: self.line + lines, ..self }
    }
}
