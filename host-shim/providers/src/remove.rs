//! Removes an orphaned resource on an operator's request.

use host_provider_api::{Call, CallOutcome, Held, Registry, Reply};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// Longest delay between two polls.
const POLL_DELAY_MAX: Duration = Duration::from_secs(60);

/// Reasons why the removal of a resource was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// The provider refused to remove the resource.
    #[error("its provider refused: {code}: {message}")]
    Refused {
        /// The provider's code.
        code: String,
        /// The provider's message.
        message: String,
    },
    /// The resource was not removed in time. The provider may continue the removal.
    #[error("it was not removed within {} s: {last}", .after.as_secs())]
    Late {
        /// Time since the start of the removal.
        after: Duration,
        /// Status of the removal at its last poll or attempt.
        last: String,
    },
}

/// Destroys a resource and waits until it is gone. The call has the maximum generation, so it is not superseded.
///
/// # Errors
///
/// Fails if the provider refuses, or if the resource is not gone within `patience`.
pub fn remove(registry: &Registry, held: &Held, patience: Duration) -> Result<(), NotRemoved> {
    let mut call = Call {
        kind: format!("{}.destroy", held.id.resource),
        scope: held.id.scope.clone(),
        key: format!("{}/destroy", held.id.id),
        generation: u32::MAX,
        attempt: 1,
        payload: json!({"name": held.name}),
        lease: 1,
        secrets: registry.secret_access(),
        ..Call::default()
    };
    let began = Instant::now();
    loop {
        let (after_ms, last) = match registry.call(&call) {
            Reply::Answer(CallOutcome::Done(_)) => return Ok(()),
            Reply::Answer(CallOutcome::Refused { code, message }) => {
                return Err(NotRemoved::Refused { code, message });
            }
            Reply::Answer(CallOutcome::InProgress { after_ms, token }) => {
                call.token = Some(token);
                (after_ms, "the removal is in progress".to_owned())
            }
            Reply::Answer(CallOutcome::Retry { after_ms, code, message }) => {
                call.attempt += 1;
                (after_ms.unwrap_or(1_000), format!("{code}: {message}"))
            }
            Reply::Silence { .. } => (1_000, "no response".to_owned()),
        };
        let wait = u64::try_from(after_ms).map_or(Duration::ZERO, Duration::from_millis).min(POLL_DELAY_MAX);
        if began.elapsed() + wait > patience {
            return Err(NotRemoved::Late { after: began.elapsed(), last });
        }
        thread::sleep(wait);
    }
}
