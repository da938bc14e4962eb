//! Translates errors to call outcomes.

use host_provider_api::names::BadName;
use host_provider_api::{CallOutcome, SecretError};
use tokio_postgres::error::SqlState;

/// Code for a call that needs a database which was complete but is gone. An operator must restore a backup: a new,
/// empty database would hide the loss.
pub(crate) const LOST: &str = "database-lost";

/// The outcome of a failed call.
#[derive(Debug)]
pub(crate) struct Failed(pub CallOutcome);

impl Failed {
    pub fn refused(code: &str, message: impl Into<String>) -> Failed {
        Failed(CallOutcome::refused(code, message))
    }

    pub fn retry(code: &str, message: impl Into<String>) -> Failed {
        Failed(CallOutcome::retry(code, message))
    }
}

impl From<CallOutcome> for Failed {
    fn from(outcome: CallOutcome) -> Failed {
        Failed(outcome)
    }
}

impl From<SecretError> for Failed {
    fn from(error: SecretError) -> Failed {
        Failed(error.into())
    }
}

impl From<BadName> for Failed {
    fn from(error: BadName) -> Failed {
        Failed(error.into())
    }
}

/// An error without a server response is retried, because the result is unknown. An error that another attempt can't
/// change is refused. Only the main message of the server's error is included, because its details contain values.
impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Failed {
        let Some(db_error) = error.as_db_error() else {
            return Failed::retry("database-unreachable", error.to_string());
        };
        let (state, message) = (db_error.code(), db_error.message().chars().take(200).collect::<String>());
        let text = format!("{message} ({})", state.code());
        // A concurrent call did the same work first. The next attempt finds its result.
        let is_conflict = [
            SqlState::DUPLICATE_DATABASE,
            SqlState::DUPLICATE_OBJECT,
            SqlState::DUPLICATE_SCHEMA,
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_FUNCTION,
            SqlState::UNIQUE_VIOLATION,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::OBJECT_IN_USE,
        ]
        .contains(state);
        if is_conflict {
            return Failed::retry("database-busy", text);
        }
        match &state.code()[..2] {
            // Lost connections, rolled-back transactions, exhausted resources, objects in use, operator intervention,
            // system and internal errors.
            "08" | "40" | "53" | "55" | "57" | "58" | "XX" => Failed::retry("database-unavailable", text),
            "28" => Failed::retry("login-refused", text),
            _ if *state == SqlState::INSUFFICIENT_PRIVILEGE => Failed::refused("not-allowed", text),
            _ => Failed::refused("database-refused", text),
        }
    }
}
