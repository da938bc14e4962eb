//! Parses the allowed differences of the command line: `effects`, or `effects:invoice.paid`.

use std::fmt;
use std::str::FromStr;

/// A part of the result of an event that can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Outcome, reason and account of the event, and whether the event ran at all.
    Outcome,
    /// Reply to the caller.
    Reply,
    /// New effects: kind, key and payload.
    Effects,
    /// Sums of the ledger by currency and ledger account.
    Money,
    /// Rows, claims and open timers of the account.
    State,
    /// Fuel of the event.
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

/// An allowed difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The field that may differ.
    pub field: Field,
    /// Kind of the events; None allows all kinds.
    pub kind: Option<String>,
}

impl Allowed {
    /// True if a difference of `field` in an event of `kind` is allowed.
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
                Err(format!("expected one of {names}, optionally with a kind of event, such as effects:invoice.paid"))
            }
        }
    }
}
