//! Paths of members: `metadata.tier`, `items.0.price_id`, `customer.id`.

use crate::tables::kind::{Form, Kind, Member, Type};

/// The path to a member of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Name of a lookup; none for the view's own row.
    pub lookup: Option<String>,
    pub(crate) member: &'static Member,
    /// Steps into the member.
    pub(crate) steps: Vec<Step>,
    /// True if the numbers in the mapping at the path are added up: `back.*`.
    pub(crate) is_sum: bool,
}

/// A step into JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Member of a mapping.
    Name(String),
    /// Item of a list, from 0.
    Index(u16),
}

/// The reason why a string is not a path.
#[derive(Debug)]
pub(crate) enum NoPath<'t> {
    /// A name contains characters other than letters, digits, `_`, `-` and `:`.
    Characters,
    /// The rows have no such member.
    Unknown(&'t str),
    /// The member is a simple value that contains nothing.
    Plain,
    /// The structure has different members.
    Other(Vec<&'static str>),
    /// A structure itself is not a value.
    Whole(Vec<&'static str>),
    /// Only the numbers of a JSON mapping can be added up.
    Sum,
}

impl Path {
    /// Parses the path to a member of a kind, after the name of its lookup.
    pub(crate) fn read<'t>(lookup: Option<&str>, kind: &Kind, text: &'t str) -> Result<Path, NoPath<'t>> {
        let (text, is_sum) = text.strip_suffix(".*").map_or((text, false), |rest| (rest, true));
        let is_name =
            |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-:".contains(&c));
        if !text.split('.').all(is_name) {
            return Err(NoPath::Characters);
        }
        let mut parts = text.split('.');
        let first = parts.next().unwrap_or_default();
        let member = kind.members().find(|member| member.name == first).ok_or(NoPath::Unknown(first))?;
        let step = |part: &str| part.parse().map_or_else(|_| Step::Name(part.to_owned()), Step::Index);
        let steps: Vec<Step> = parts.map(step).collect();
        let only = |step: &Step, names: &[&'static str]| match step {
            Step::Name(name) if names.contains(&name.as_str()) => Ok(()),
            _ => Err(NoPath::Other(names.to_vec())),
        };
        match (member.form, steps.as_slice()) {
            (Form::Json, _) => {}
            _ if is_sum => return Err(NoPath::Sum),
            (Form::Plain(_) | Form::Parts(..), []) | (Form::Pairs, [Step::Name(_)]) => {}
            (Form::Parts(first, second), [step]) => only(step, &[first, second])?,
            (Form::Struct(members), steps) => {
                let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
                match steps {
                    [] => return Err(NoPath::Whole(names)),
                    [step] => only(step, &names)?,
                    _ => return Err(NoPath::Plain),
                }
            }
            (Form::Pairs, []) => return Err(NoPath::Whole(vec!["NAME"])),
            _ => return Err(NoPath::Plain),
        }
        Ok(Path { lookup: lookup.map(str::to_owned), member, steps, is_sum })
    }

    /// Returns true for the kind of an event or an effect.
    pub(crate) fn is_kind(&self) -> bool {
        self.lookup.is_none() && self.member.name == "kind"
    }

    /// Returns the name or the index of the first step into the member; empty if there is none.
    pub(crate) fn first_step(&self) -> String {
        match self.steps.first() {
            Some(Step::Name(name)) => name.clone(),
            Some(Step::Index(index)) => index.to_string(),
            None => String::new(),
        }
    }

    /// Returns the type of a column whose type the file does not declare.
    pub(crate) fn own_type(&self) -> Type {
        match (self.member.form, self.steps.first()) {
            _ if self.is_sum => Type::Integer,
            (Form::Plain(own), _) => own,
            (Form::Struct(members), Some(Step::Name(name))) => {
                members.iter().find(|(known, _)| known == name).map_or(Type::Text, |(_, own)| *own)
            }
            _ => Type::Text,
        }
    }
}
