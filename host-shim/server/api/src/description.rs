//! Describes the routes that every server has, for the OpenAPI document, the TypeScript client and the tables in the documentation.
//! Types are written as in `routes.yml`. The handlers read the same lists of body members.

use host_business::routes::{Field, Type};
use std::collections::BTreeMap;

/// Prefix of a member that includes the members of another shape.
const SPREAD: &str = "...";

/// Who may use a route. For documentation only: the handler enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, even without a key.
    All,
    /// Everybody; callers with a key see more.
    Visitors,
    /// Callers with a key.
    Keys,
    /// Services and operators.
    Services,
    /// Users of the business, in a session.
    Users,
    /// Members of an organization.
    Members,
    /// Owners of an organization.
    Owners,
    /// Operators.
    Operators,
    /// Operators, and keys of the server.
    Readers,
    /// Bearers of a download token.
    Tokens,
    /// Senders that have their own secret.
    Signed,
}

impl Access {
    /// Returns the name shown in the documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Access::All => "all",
            Access::Visitors => "all; keys",
            Access::Keys => "keys",
            Access::Services => "services",
            Access::Users => "users",
            Access::Members => "members",
            Access::Owners => "owners",
            Access::Operators => "operators",
            Access::Readers => "operators, keys of the server",
            Access::Tokens => "download tokens",
            Access::Signed => "signed",
        }
    }

    /// Returns true if a request needs no bearer token.
    pub(crate) fn is_public(self) -> bool {
        matches!(self, Access::All | Access::Visitors | Access::Signed | Access::Tokens)
    }
}

/// An object type of the OpenAPI document and its members. Its name begins with `Server`, so that it cannot collide with a type of the
/// business.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Each member with its type: `email: string?`. `...NAME` includes the members of another shape.
    members: &'static [&'static str],
    /// The shapes to which the members refer.
    of: &'static [&'static Shape],
}

impl Shape {
    /// Creates a shape with the given members.
    pub(crate) const fn new(name: &'static str, members: &'static [&'static str]) -> Shape {
        Shape { name, members, of: &[] }
    }

    /// Adds the shapes to which the members refer.
    pub(crate) const fn with(self, of: &'static [&'static Shape]) -> Shape {
        Shape { of, ..self }
    }

    /// Returns the members, including those of included shapes.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let fields = self.members.iter().flat_map(|member| match member.strip_prefix(SPREAD) {
            Some(name) => self.of.iter().find(|shape| shape.name == name).map_or_else(Vec::new, |shape| shape.fields()),
            None => vec![field(member)],
        });
        fields.collect()
    }

    /// Adds the shape, and recursively the shapes to which its members refer, keyed by name.
    fn collect(&'static self, into: &mut BTreeMap<&'static str, &'static Shape>) {
        into.insert(self.name, self);
        self.of.iter().for_each(|shape| shape.collect(into));
    }
}

/// An answer without members.
pub(crate) const NOTHING: Shape = Shape::new("ServerNothing", &[]);

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// No body, or one that is not read.
    Nothing,
    /// An object with these members.
    Members(&'static [&'static str]),
    /// An object that is described elsewhere, such as the manifest.
    Object,
    /// Bytes signed by the sender.
    Signed,
}

/// The body of a successful response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Any JSON.
    Json,
    /// An object.
    Of(&'static Shape),
    /// A redirect to another address.
    Redirect,
    /// Text of this media type.
    Text(&'static str),
}

/// The documentation of a route.
#[derive(Debug)]
pub(crate) struct Description {
    /// `GET`, `POST`, …
    pub(crate) method: &'static str,
    /// Path, with `{name}` for a variable part.
    pub(crate) path: &'static str,
    /// Name of the client's method; empty for a route that the client does not call.
    pub(crate) name: &'static str,
    /// What the route does, in one sentence.
    pub(crate) about: &'static str,
    /// Further notes for readers; may be empty.
    pub(crate) detail: &'static str,
    /// Name of the group it belongs to.
    pub(crate) tag: &'static str,
    /// Who may use it.
    pub(crate) access: Access,
    /// Query parameters, each with its type.
    pub(crate) query: &'static [&'static str],
    /// Body of a request.
    pub(crate) body: Given,
    /// Status of a successful response.
    pub(crate) status: &'static str,
    /// Another success status with the same kind of response, if any.
    pub(crate) also: Option<&'static str>,
    /// Body of a successful response.
    pub(crate) answer: Answer,
    /// True for a command: it accepts an `Idempotency-Key`, and its reply may come later.
    pub(crate) is_command: bool,
    /// True for a route that is not a command but whose reply may also come later.
    pub(crate) may_pend: bool,
    /// False for a route that is left out of the document and the client.
    pub(crate) is_listed: bool,
}

impl Description {
    /// Returns the variable parts of the path.
    pub(crate) fn parts(&self) -> Vec<Field> {
        let parts = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        parts.map(|name| of_type(name.trim_start_matches('*'), Type::Text)).collect()
    }
}

/// Returns the shapes in the responses of the routes and all shapes to which these refer, sorted by name.
pub(crate) fn shapes<'d>(routes: impl IntoIterator<Item = &'d Description>) -> Vec<&'static Shape> {
    let mut found = BTreeMap::from([(NOTHING.name, &NOTHING)]);
    for route in routes {
        if let Answer::Of(shape) = route.answer {
            shape.collect(&mut found);
        }
    }
    found.into_values().collect()
}

/// Reads members, each with its type.
pub(crate) fn fields(members: &[&str]) -> Vec<Field> {
    members.iter().map(|member| field(member)).collect()
}

/// Parses a member and its type. An invalid type falls back to `json`; a test catches such mistakes.
fn field(text: &str) -> Field {
    let (name, of) = text.split_once(": ").unwrap_or((text, ""));
    of_type(name, Type::parse(of).unwrap_or(Type::Json))
}

fn of_type(name: &str, value_type: Type) -> Field {
    Field { name: name.to_owned(), value_type, about: String::new(), default: None }
}

#[cfg(test)]
impl Shape {
    /// Panics if a member has no type or refers to an unknown shape.
    pub(crate) fn check(&self) {
        for member in self.members {
            let named = match member.strip_prefix(SPREAD) {
                Some(other) => Some(other.to_owned()),
                None => check_member(member).named().map(str::to_owned),
            };
            if let Some(named) = named {
                assert!(self.of.iter().any(|shape| shape.name == named), "{}: {member}", self.name);
            }
        }
    }
}

/// Returns the type of a member; panics if it has none.
#[cfg(test)]
pub(crate) fn check_member(member: &str) -> Type {
    let (name, of) = member.split_once(": ").unwrap_or_else(|| panic!("{member}"));
    assert!(!name.is_empty(), "{member}");
    Type::parse(of).unwrap_or_else(|| panic!("{member}"))
}
