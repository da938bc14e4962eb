//! How what goes wrong is answered.

use host_provider_api::names::BadName;
use host_provider_api::{CallOutcome, SecretError};
use tokio_postgres::error::SqlState;

/// A call that ends without being done.
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
    fn from(answer: CallOutcome) -> Failed {
        Failed(answer)
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

/// Without an answer of the server nothing is known, so it is asked again. What it says that another attempt can't help is refused.
/// Only the first line of what it says is told: the others name values.
impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Failed {
        let Some(said) = error.as_db_error() else {
            return Failed::retry("database-unreachable", error.to_string());
        };
        let (state, message) = (said.code(), said.message().chars().take(200).collect::<String>());
        let told = format!("{message} ({})", state.code());
        // Who does the same at the same time was there first: what it made is found the next time.
        let is_met = [
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
        if is_met {
            return Failed::retry("database-busy", told);
        }
        match &state.code()[..2] {
            // A broken connection, a lack of something, another's doing, the server's own trouble.
            "08" | "40" | "53" | "55" | "57" | "58" | "XX" => Failed::retry("database-unavailable", told),
            "28" => Failed::retry("login-refused", told),
            _ if *state == SqlState::INSUFFICIENT_PRIVILEGE => Failed::refused("not-allowed", told),
            _ => Failed::refused("database-refused", told),
        }
    }
}
