//! What the OpenAPI document, the client in TypeScript and the tables of the documents show of a route that every server has. Types are
//! written as in `routes.yml`; the members of a body are also what its handler reads.

use host_business::routes::{Field, Type};
use std::collections::BTreeMap;

/// Beginning of a member that stands for the members of another shape.
const SPREAD: &str = "...";

/// Who may use a route. The handler decides; this is for readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, also without a key.
    All,
    /// Everybody; a key shows more.
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
    /// Senders with a secret of their own.
    Signed,
}

impl Access {
    /// Returns the words for readers.
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

/// The members of an object, by the name that it has in the document. The name begins with `Server`, so that a business may have a type
/// of the same name without it.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Each with its type: `email: string?`. `...NAME` stands for the members of another shape.
    members: &'static [&'static str],
    /// The shapes that the members name.
    of: &'static [&'static Shape],
}

impl Shape {
    /// Makes a shape with members.
    pub(crate) const fn new(name: &'static str, members: &'static [&'static str]) -> Shape {
        Shape { name, members, of: &[] }
    }

    /// Adds the shapes that the members name.
    pub(crate) const fn with(self, of: &'static [&'static Shape]) -> Shape {
        Shape { of, ..self }
    }

    /// Returns the members, also those of the shapes that it contains.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let fields = self.members.iter().flat_map(|member| match member.strip_prefix(SPREAD) {
            Some(name) => self.of.iter().find(|shape| shape.name == name).map_or_else(Vec::new, |shape| shape.fields()),
            None => vec![field(member)],
        });
        fields.collect()
    }

    /// Adds the shape and those that its members name, each by its name.
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
    /// An object that something else describes, such as the manifest.
    Object,
    /// Bytes that a sender has signed.
    Signed,
}

/// The body of an answer of success.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Any JSON.
    Json,
    /// An object.
    Of(&'static Shape),
    /// Another address, to which a browser goes.
    Redirect,
    /// A text of this media type.
    Text(&'static str),
}

/// What readers see of a route.
#[derive(Debug)]
pub(crate) struct Description {
    /// `GET`, `POST`, …
    pub(crate) method: &'static str,
    /// Path, with `{name}` for a variable part.
    pub(crate) path: &'static str,
    /// Name of the client's method; empty for a route that no client calls.
    pub(crate) name: &'static str,
    /// What the route does, in one sentence.
    pub(crate) about: &'static str,
    /// What else a reader should know; may be empty.
    pub(crate) detail: &'static str,
    /// Name of its group.
    pub(crate) tag: &'static str,
    /// Who may use it.
    pub(crate) access: Access,
    /// Parameters of the query, each with its type.
    pub(crate) query: &'static [&'static str],
    /// Body of a request.
    pub(crate) body: Given,
    /// Status of success.
    pub(crate) status: &'static str,
    /// Another status with an answer of the same form, if there is one.
    pub(crate) also: Option<&'static str>,
    /// Answer of success.
    pub(crate) answer: Answer,
    /// True for a command: it takes an `Idempotency-Key`, and its reply may come later.
    pub(crate) is_command: bool,
    /// True for another route whose reply may come later.
    pub(crate) may_pend: bool,
    /// False for a route that the document and the client leave out.
    pub(crate) is_listed: bool,
}

impl Description {
    /// Returns the variable parts of the path.
    pub(crate) fn parts(&self) -> Vec<Field> {
        let parts = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        parts.map(|name| of_type(name.trim_start_matches('*'), Type::Text)).collect()
    }
}

/// Returns the shapes that routes answer with, and all that these name, in the order of their names.
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

/// Reads a member with its type. A wrong type is `json`; a test finds it.
fn field(text: &str) -> Field {
    let (name, of) = text.split_once(": ").unwrap_or((text, ""));
    of_type(name, Type::parse(of).unwrap_or(Type::Json))
}

fn of_type(name: &str, value_type: Type) -> Field {
    Field { name: name.to_owned(), value_type, about: String::new(), default: None }
}

#[cfg(test)]
impl Shape {
    /// Panics if a member has no type, or names a shape that is not there.
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
