//! Finds the function or container of a resource by its names, in the same way on Lambda and on ECS.

use crate::aws::provider::marks::{Marks, are_variants};
use crate::aws::provider::payload::{has_outputs, text};
use host_provider_api::names::Rules;
use host_provider_api::{Call, CallOutcome, ResourceId};

/// Prefix of derived names, and of the names of target groups.
pub(crate) const PREFIX: &str = "sbp-";

/// Result of looking up a resource's function.
pub(crate) enum Lookup<T> {
    Ours(Box<T>, Marks),
    /// The wanted name belongs to another resource.
    Taken(String),
    /// The function does not exist and should be created under this name.
    Absent(String),
}

/// A function that exists at a service.
pub(crate) trait Existing {
    /// Returns its marks; none if a person created it.
    fn marks(&self) -> Option<&Marks>;
}

/// Returns the names that the call's function may have: the wanted one and the derived one.
pub(crate) fn names(rules: &Rules, call: &Call) -> Result<Vec<String>, CallOutcome> {
    let derived = rules.derive(PREFIX, &call.resource_id())?;
    let wanted = text(call, "name")?.map(|wanted| rules.check(wanted)).transpose()?;
    Ok(wanted.map(str::to_owned).into_iter().chain([derived]).collect())
}

/// Finds the function by the recorded name, by the wanted name, or by the derived name. If two variants of a resource want
/// the same name, the second gets the derived name.
pub(crate) async fn seek<T: Existing>(
    call: &Call,
    recorded: Option<String>,
    names: Vec<String>,
    get: impl AsyncFn(&str) -> Result<Option<T>, CallOutcome>,
    listed: impl AsyncFn(&ResourceId) -> Result<Option<(T, Marks)>, CallOutcome>,
) -> Result<Lookup<T>, CallOutcome> {
    let id = call.resource_id();
    let (mut free, mut taken) = (None, None);
    for name in recorded.into_iter().chain(names.iter().cloned()) {
        match get(&name).await? {
            None if names.contains(&name) => free = free.or(Some(name)),
            None => {}
            Some(found) => match found.marks().cloned() {
                Some(marks) if marks.id == id => return Ok(Lookup::Ours(Box::new(found), marks)),
                Some(marks) if are_variants(&marks.id, &id) => {}
                _ => taken = taken.or(Some(name)),
            },
        }
    }
    // At its first `ensure`, the resource can't have a function under another name, so the list is not needed.
    if (call.verb() != "ensure" || call.generation > 1)
        && !has_outputs(call)
        && let Some((found, marks)) = listed(&id).await?
    {
        return Ok(Lookup::Ours(Box::new(found), marks));
    }
    match (taken, free) {
        (Some(taken), _) => Ok(Lookup::Taken(taken)),
        (None, Some(free)) => Ok(Lookup::Absent(free)),
        (None, None) => Ok(Lookup::Taken(names.into_iter().next().unwrap_or_default())),
    }
}
