//! Differences that are expected: `effects`, or `effects:invoice.paid`.

use std::fmt;
use std::str::FromStr;

/// In what two runs of an event may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Outcome, its reason, and the account that it is placed in; whether it ran at all.
    Outcome,
    /// What the caller gets.
    Reply,
    /// What it newly asks for: kind, key and payload.
    Effects,
    /// Sums of the ledger, by currency and account of the ledger.
    Money,
    /// Rows, claims and open timers of the account.
    State,
    /// Fuel.
    Fuel,
}

/// All fields with their names.
pub const FIELDS: [(Field, &str); 6] = [
    (Field::Outcome, "outcome"),
    (Field::Reply, "reply"),
    (Field::Effects, "effects"),
    (Field::Money, "money"),
    (Field::State, "state"),
    (Field::Fuel, "fuel"),
];

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FIELDS.iter().find(|(field, _)| field == self).map_or("", |(_, name)| name))
    }
}

/// A difference that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// In what.
    pub field: Field,
    /// Of which kind of events; none is all.
    pub kind: Option<String>,
}

impl Allowed {
    /// Whether it allows a difference.
    pub fn allows(&self, field: Field, kind: &str) -> bool {
        self.field == field && self.kind.as_deref().is_none_or(|allowed| allowed == kind)
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, kind) = match text.split_once(':') {
            Some((name, kind)) => (name, Some(kind.to_owned())),
            None => (text, None),
        };
        let field = FIELDS.iter().find(|(_, known)| *known == name).map(|(field, _)| *field);
        match field {
            Some(field) if kind.as_deref() != Some("") => Ok(Allowed { field, kind }),
            _ => {
                let names = FIELDS.map(|(_, name)| name).join(", ");
                Err(format!(
                    "expected one of {names}, or one of them with a kind of event, such as effects:invoice.paid"
                ))
            }
        }
    }
}
