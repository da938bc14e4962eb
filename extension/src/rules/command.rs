//! Checks who gives a command, its members and the state of its account, and calls its rule.

use super::commands::{Command, Members, Who};
use crate::actions::permission::{admin_of_platform, not_closed, operators_only};
use crate::catalog::words::one_of;
use crate::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::Object;
use extension_contract::{FieldErrorCode, Outcome, Refusal};

/// Fails if the payload has an unknown member. If the member were ignored, the caller would assume that it had an
/// effect.
fn check_members(members: Members, body: &Object) -> Ruled<()> {
    let Members::Only(members) = members else { return Ok(()) };
    match body.keys().find(|key| !members.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let (found, expected) = ("", one_of(members));
            Err(wrong_field(&format!("/{key}"), FieldErrorCode::UnknownField, found, expected))
        }
    }
}

/// Decides a command.
pub(super) fn decide(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let Some((command, rule)) = Command::find(desk.kind).and_then(|command| Some((command, command.rule?))) else {
        return Err(Refusal::NotFound(format!("command {}", desk.kind)).into());
    };
    match command.who {
        Who::Owners => {}
        Who::Operators => operators_only(desk)?,
        Who::Platform => admin_of_platform(desk)?,
    }
    check_members(command.members, body)?;
    if !command.when_closed {
        not_closed(desk)?;
    }
    let mut verdict = rule(desk, body)?;
    let has_ended = !matches!(verdict.outcome, Outcome::Deferred(_));
    if has_ended && matches!(verdict.answer, Answer::None) && command.reply.is_none() {
        verdict.answer = Answer::Value("{}".to_owned());
    }
    Ok(verdict)
}
