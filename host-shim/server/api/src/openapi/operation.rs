//! An operation as the document and the client show it: a route of the business, or one that every server has.

use crate::description::{Answer, Description, Given, fields};
use host_business::routes::{Field, Route, Type};

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    /// No body.
    Nothing,
    /// An object with these members.
    Members(Vec<Field>),
    /// Any object.
    Object,
}

/// The body of a successful response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// A value of a type.
    Value(Type),
    /// A redirect to another address.
    Redirect,
    /// Text of a media type.
    Text(&'static str),
}

/// An operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Name of the client's method; empty for an operation that the client does not call.
    pub(crate) name: String,
    /// Prefix of the names of its types: `Deploy`, `ServerRegister`.
    pub(crate) prefix: String,
    pub(crate) about: String,
    pub(crate) tag: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) parts: Vec<Field>,
    pub(crate) query: Vec<Field>,
    pub(crate) body: Input,
    pub(crate) status: String,
    /// Another success status with the same kind of response.
    pub(crate) also: Option<&'static str>,
    pub(crate) answer: Output,
    pub(crate) is_command: bool,
    /// True if the reply may come later.
    pub(crate) may_pend: bool,
    pub(crate) is_public: bool,
}

impl From<&Route> for Operation {
    fn from(route: &Route) -> Self {
        Operation {
            name: route.name.clone(),
            prefix: upper(&route.name),
            about: route.about.clone(),
            tag: route.tag.clone(),
            method: route.method.name(),
            path: route.pattern.to_string(),
            parts: route.path.clone(),
            query: route.query.clone(),
            body: match route.body.is_empty() {
                true => Input::Nothing,
                false => Input::Members(route.body.clone()),
            },
            status: route.status.to_string(),
            also: None,
            answer: Output::Value(route.answer.clone()),
            is_command: route.command.is_some(),
            may_pend: route.command.is_some(),
            is_public: route.who == host_business::routes::Who::Public,
        }
    }
}

impl From<&Description> for Operation {
    fn from(of: &Description) -> Self {
        Operation {
            name: of.name.to_owned(),
            prefix: format!("Server{}", upper(of.name)),
            about: of.about.to_owned(),
            tag: of.tag.to_owned(),
            method: of.method,
            path: of.path.to_owned(),
            parts: of.parts(),
            query: fields(of.query),
            body: match of.body {
                Given::Nothing => Input::Nothing,
                Given::Members(members) => Input::Members(fields(members)),
                Given::Object | Given::Signed => Input::Object,
            },
            status: of.status.to_owned(),
            also: of.also,
            answer: match of.answer {
                Answer::Json => Output::Value(Type::Json),
                Answer::Of(shape) => Output::Value(Type::Named(shape.name.to_owned())),
                Answer::Redirect => Output::Redirect,
                Answer::Text(media) => Output::Text(media),
            },
            is_command: of.is_command,
            may_pend: of.is_command || of.may_pend,
            is_public: of.access.is_public(),
        }
    }
}

/// Returns a name with its first letter in upper case.
pub(crate) fn upper(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
