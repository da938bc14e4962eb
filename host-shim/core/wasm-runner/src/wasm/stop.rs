//! Classifies the reasons why a call of a component failed.

use super::CallLimits;
use crate::runner::RunError;
use wasmtime::Trap;

/// The reason why the host stopped a component during an import or a growth of memory. It is the cause of the trap.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("an import was called outside of a call: in `manifest.declare` or at the start")]
    NoImports,
    #[error("more than {limit} host calls")]
    TooManyHostCalls { limit: u64 },
    #[error("the host calls of one call passed more than {limit} bytes")]
    TooManyBytes { limit: usize },
    #[error("memory beyond {limit} bytes")]
    OutOfMemory { limit: usize },
    #[error("table beyond {limit} elements")]
    TableTooLarge { limit: usize },
}

/// Wasmtime's error text for a passed value that is larger than `Store::set_hostcall_fuel` allows. The error has no
/// public type. A test passes such a value, and fails if the text changes.
const CROSSING_LIMIT_TEXT: &str = "fuel allocated for hostcalls has been exhausted";

/// Returns the error of a failed call.
pub(super) fn run_error(error: &wasmtime::Error, limits: &CallLimits) -> RunError {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::TooManyHostCalls { limit } => RunError::TooManyHostCalls { limit: *limit },
            Stop::TooManyBytes { limit } => {
                RunError::ValueTooLarge { what: "all that was passed".to_owned(), limit_bytes: *limit as u64 }
            }
            Stop::OutOfMemory { limit } => RunError::OutOfMemory { limit_bytes: *limit as u64 },
            Stop::NoImports | Stop::TableTooLarge { .. } => RunError::Trap(stop.to_string()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => RunError::OutOfFuel { limit: limits.fuel.unwrap_or_default() },
        Some(Trap::Interrupt) => RunError::Deadline { limit_ms: limits.deadline_ms },
        Some(Trap::StackOverflow) => RunError::StackOverflow,
        Some(trap) => RunError::Trap(trap.to_string()),
        None if error.chain().any(|cause| cause.to_string().contains(CROSSING_LIMIT_TEXT)) => {
            let limit_bytes = limits.crossing_bytes as u64;
            RunError::ValueTooLarge { what: "a value that was passed or returned".to_owned(), limit_bytes }
        }
        None => RunError::Trap(format!("{error:#}")),
    }
}
