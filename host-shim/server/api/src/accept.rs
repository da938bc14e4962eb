//! Sends events and jobs to the writer of a site and waits for the answer.

use crate::problem::Problem;
use crate::site::Site;
use crate::turn;
use extension_contract::Payload;
use host_business::routes::limits::STORE_S_MAX;
use host_engine::processor::Report;
use host_engine::writer::JobError;
use host_intake::Decoded;
use std::future::Future;
use std::time::Duration;
use tokio::sync::oneshot;

/// Sends an event to the writer in the request's turn and waits for the commit. Refuses an event that contains U+0000, which not
/// every store can keep.
pub(crate) async fn accept(site: &Site, decoded: Decoded, raw: Vec<u8>) -> Result<Vec<Report>, Problem> {
    let has_zero = match &decoded.event.payload {
        Payload::Command(text) => has_zero_character(text.as_bytes()),
        Payload::Payment(bytes) => has_zero_character(bytes),
        _ => false,
    };
    if has_zero {
        return Err(Problem::bad("zero-character", "a text has the character U+0000: expected a text without it"));
    }
    soon(answer_of(|answer| site.try_accept_then(turn::current(), decoded, raw, answer))).await
}

/// Returns true if a string in a JSON document contains U+0000, which JSON can only write as an escape.
fn has_zero_character(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        // The escaped byte may be a backslash itself.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

/// Waits for the answer of a writer. If it does not come in time, the event may be stored all the same; it is safe to send it again.
pub(crate) async fn soon<T, E>(answer: impl Future<Output = Result<Result<T, E>, JobError>>) -> Result<T, Problem>
where
    Problem: From<E>,
{
    match tokio::time::timeout(Duration::from_secs(STORE_S_MAX), answer).await {
        Ok(answered) => Ok(answered??),
        Err(_) => {
            Err(Problem::unavailable("the store does not answer: it is not known whether the request was stored"))
        }
    }
}

/// Sends a job that passes its answer to a function, and waits for that answer.
pub(crate) async fn answer_of<T: Send + 'static>(
    send: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Result<(), JobError>,
) -> Result<T, JobError> {
    let (sender, answer) = oneshot::channel();
    send(Box::new(move |result| drop(sender.send(result))))?;
    answer.await.map_err(|_| JobError::Ended)
}
