//! How a decision ends before its last line, and what it comes to at the end.

use extension_contract::{Failure, FieldError, FieldErrorCode, Json, Outcome, Refusal, StoreError};

/// Why a decision ended before its last line.
pub(crate) enum Halt {
    /// It may not be done.
    Refused(Refusal),
    /// There is an outcome already.
    Ended(Outcome),
    /// It could not be completed and must roll back.
    Failed(Failure),
}

/// A step of a decision.
pub(crate) type Ruled<T> = Result<T, Halt>;

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
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

/// An invariant that does not hold: a bug, or damaged data.
pub(crate) fn internal(message: String) -> Halt {
    Halt::Failed(Failure::Internal(message))
}

/// One wrong field of what somebody sent.
pub(crate) fn wrong_field(path: &str, code: FieldErrorCode, message: impl Into<String>) -> Halt {
    Halt::Refused(Refusal::Invalid(vec![FieldError { path: path.to_owned(), code, message: message.into() }]))
}

/// What is told to the caller of a command when all is decided.
pub(crate) enum Answer {
    /// Nothing, or nothing yet.
    None,
    /// An object.
    Value(Json),
    /// That it could not be done, although the event itself was applied.
    Refused(Refusal),
    /// A product as it is at the end of the decision, by its id.
    Product(String),
}

/// What a rule comes to, beside what it wrote.
pub(crate) struct Verdict {
    /// Outcome.
    pub outcome: Outcome,
    /// To the caller.
    pub answer: Answer,
    /// What was said stands as it is: nothing is brought anywhere for it.
    pub stands: bool,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Verdict { outcome, answer: Answer::None, stands: false }
    }
}

impl Verdict {
    /// Applied, with an answer.
    pub fn answered(answer: Answer) -> Self {
        Verdict { outcome: Outcome::Applied, answer, stands: false }
    }
}
