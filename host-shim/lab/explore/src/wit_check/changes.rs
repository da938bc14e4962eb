//! The differences between two contracts, each with its consequence for a component that was built against the old
//! contract.

use crate::wit_check::world::{Contract, Names, Shape, Signature};
use std::collections::BTreeMap;

/// A difference between two contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the function or type, as `interface.name`.
    pub place: String,
    /// Description of the change.
    pub what: String,
    /// Consequence for a component built against the old contract.
    pub means: &'static str,
    /// True if a component built against the old contract can't run on a host of the new contract.
    pub breaks: bool,
}

/// A side of a world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Provided by the host; a component may call it.
    Import,
    /// Provided by a component; the host calls it.
    Export,
}

const NOT_THERE: &str = "a component that uses it is not loaded, because the import is missing";
const NOT_CALLED: &str = "the host no longer calls it";
const NOT_USED: &str = "an older component does not use it";
const NOT_BUILT: &str = "an older component does not export it and is not loaded";
const OTHER_TYPE: &str = "an older component is built with the old type and is not loaded";

/// Returns all differences, imports first.
pub(crate) fn changes(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Vec::new();
    of_side(Side::Import, &old.imports(), &new.imports(), &mut changes);
    of_side(Side::Export, &old.exports(), &new.exports(), &mut changes);
    // A type that is both imported and exported can cause the same change twice, one after the other.
    changes.dedup();
    changes
}

fn of_side(side: Side, old: &Names, new: &Names, changes: &mut Vec<Change>) {
    let mut add = |place: &str, what: String, means: &'static str, breaks: bool| {
        changes.push(Change { place: place.to_owned(), what, means, breaks });
    };
    for (place, before) in &old.functions {
        match new.functions.get(place) {
            Some(after) if before == after => {}
            Some(after) => add(place, signature(before, after), OTHER_TYPE, true),
            None if side == Side::Import => add(place, "the function was removed".to_owned(), NOT_THERE, true),
            None => add(place, "the function was removed".to_owned(), NOT_CALLED, false),
        }
    }
    for place in new.functions.keys().filter(|place| !old.functions.contains_key(*place)) {
        match side {
            Side::Import => add(place, "the function was added".to_owned(), NOT_USED, false),
            Side::Export => add(place, "the function was added".to_owned(), NOT_BUILT, true),
        }
    }
    for (place, before) in &old.types {
        match new.types.get(place) {
            Some(after) => shape(before, after).into_iter().for_each(|what| add(place, what, OTHER_TYPE, true)),
            None if side == Side::Import => add(place, "the type was removed".to_owned(), NOT_THERE, true),
            None => add(place, "the type was removed".to_owned(), NOT_CALLED, false),
        }
    }
    for place in new.types.keys().filter(|place| !old.types.contains_key(*place)) {
        add(place, "the type was added".to_owned(), NOT_USED, false);
    }
}

fn signature(before: &Signature, after: &Signature) -> String {
    let text = |signature: &Signature| {
        let params: Vec<String> = signature.params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let result = signature.result.as_ref().map_or_else(String::new, |ty| format!(" -> {ty}"));
        format!("({}){result}", params.join(", "))
    };
    format!("the function was `{}`, is `{}`", text(before), text(after))
}

/// Returns the differences between two types with the same name.
fn shape(before: &Shape, after: &Shape) -> Vec<String> {
    let ((was, part), (is, other)) = (before.words(), after.words());
    if part != other {
        return vec![format!("it was {was}, is {is}")];
    }
    let (old, new) = (before.parts(), after.parts());
    let of: BTreeMap<&str, &str> = new.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
    let known: BTreeMap<&str, &str> = old.iter().map(|(name, ty)| (name.as_str(), ty.as_str())).collect();
    let mut found = Vec::new();
    let mut renamed = Vec::new();
    for (at, (name, ty)) in old.iter().enumerate() {
        match (of.get(name.as_str()), new.get(at)) {
            (Some(now), _) if now == ty => {}
            (Some(now), _) => {
                found.push(format!("{part} `{name}` was of type `{}`, is of `{}`", or_none(ty), or_none(now)));
            }
            // The new contract has a new part of the same type at the same position.
            (None, Some((other, of))) if of == ty && !known.contains_key(other.as_str()) => {
                renamed.push(other.as_str());
                found.push(format!("{part} `{name}` was renamed to `{other}`"));
            }
            (None, _) => found.push(format!("{part} `{name}` was removed")),
        }
    }
    for (name, _) in new {
        if !known.contains_key(name.as_str()) && !renamed.contains(&name.as_str()) {
            found.push(format!("{part} `{name}` was added"));
        }
    }
    let order = |parts: &[(String, String)]| parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if found.is_empty() && order(old) != order(new) {
        found.push(format!("the order of the {part}s changed: {}", order(new).join(", ")));
    }
    found
}

fn or_none(ty: &str) -> &str {
    if ty.is_empty() { "nothing" } else { ty }
}
