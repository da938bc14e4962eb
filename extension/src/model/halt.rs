//! Control flow of a decision: early ends ([`Halt`]) and the result of a rule ([`Verdict`]).

use extension_contract::{Expected, Failure, FieldError, FieldErrorCode, ImportError, Json, Outcome, Refusal};

/// Why a decision ended early.
pub(crate) enum Halt {
    /// The event is refused.
    Refused(Refusal),
    /// The outcome is already decided.
    Ended(Outcome),
    /// The decision failed, and the host discards it.
    Failed(Failure),
}

/// Result of a step of a decision.
pub(crate) type Ruled<T> = Result<T, Halt>;

impl From<ImportError> for Halt {
    fn from(error: ImportError) -> Self {
        Halt::Failed(Failure::Store(error))
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Halt::Failed(failure)
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Halt::Refused(refusal)
    }
}

/// Returns the halt for a violated invariant: a bug or damaged data.
pub(crate) fn internal(message: String) -> Halt {
    Halt::Failed(Failure::Internal(message))
}

/// Returns the refusal for one invalid field of a payload. `found` is empty if the value itself is wrong, and
/// `expected` if no other value helps.
pub(crate) fn wrong_field(
    path: &str,
    code: FieldErrorCode,
    found: impl Into<String>,
    expected: impl Into<Expected>,
) -> Halt {
    wrong(FieldError::new(path, code, found).expecting(expected))
}

/// Returns the refusal for an unknown name. `what` completes the sentence about the name, such as
/// `is not a product type`.
pub(crate) fn wrong_name(path: &str, name: &str, what: &str, allowed: impl Into<Expected>) -> Halt {
    let found = format!("`{name}` {what}");
    wrong(FieldError::new(path, FieldErrorCode::NotAllowed, found).expecting(allowed).suggesting(name))
}

/// Returns the refusal for one invalid field.
pub(crate) fn wrong(error: FieldError) -> Halt {
    Halt::Refused(Refusal::Invalid(vec![error]))
}

/// The reply to the caller of a command.
pub(crate) enum Answer {
    /// No reply, or no reply yet.
    None,
    /// A JSON object.
    Value(Json),
    /// A refusal, although the event itself was applied.
    Refused(Refusal),
    /// The product with this id, in its state at the end of the decision.
    Product(String),
}

impl Answer {
    /// Refuses a command because a provider refused its effect. The text is fixed, so that no caller sees the provider's code or
    /// message; those are for the operators.
    pub fn not_done(what: &'static str) -> Answer {
        Answer::Refused(Refusal::BadTransition(what.to_owned()))
    }
}

/// The result of a rule, in addition to its changes.
pub(crate) struct Verdict {
    /// Outcome.
    pub outcome: Outcome,
    /// Reply to the caller.
    pub answer: Answer,
    /// Skips the reconciliation after this event.
    pub stands: bool,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Verdict { outcome, answer: Answer::None, stands: false }
    }
}

impl Verdict {
    /// Returns the verdict `applied` with a reply.
    pub fn answered(answer: Answer) -> Self {
        Verdict { outcome: Outcome::Applied, answer, stands: false }
    }
}
