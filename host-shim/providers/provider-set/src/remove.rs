//! Taking an orphan away, by somebody's word.

use host_provider_api::{Call, CallOutcome, Held, Registry, Reply};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait between two looks.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Why it is still there, or may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// Its provider refuses.
    #[error("its provider refuses: {code}: {message}")]
    Refused {
        /// The provider's code.
        code: String,
        /// What it says.
        message: String,
    },
    /// It was not gone in time; what was begun goes on.
    #[error("it was not gone within {} s: {last}", .after.as_secs())]
    Late {
        /// How long was waited.
        after: Duration,
        /// What was told last.
        last: String,
    },
}

/// Destroys what is held in the world, whatever generation it is of, and waits until it is gone.
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
                (after_ms, "it goes on".to_owned())
            }
            Reply::Answer(CallOutcome::Retry { after_ms, code, message }) => {
                call.attempt += 1;
                (after_ms.unwrap_or(1_000), format!("{code}: {message}"))
            }
            Reply::Silence { .. } => (1_000, "no answer came".to_owned()),
        };
        let wait = u64::try_from(after_ms).map_or(Duration::ZERO, Duration::from_millis).min(LOOK_MAX);
        if began.elapsed() + wait > patience {
            return Err(NotRemoved::Late { after: began.elapsed(), last });
        }
        thread::sleep(wait);
    }
}
