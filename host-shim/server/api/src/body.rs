//! Reads the body of a request within a size limit and a time limit, if wanted as the members of a fixed form. Work on a large body is done
//! where it holds up no other request.

use crate::description::fields;
use crate::problem::Problem;
use crate::state::AppState;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use host_business::routes::{Types, read_body};
use host_intake::body::parse_object;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use std::time::Duration;

/// Up to this many bytes, work on a body takes less time than handing it to another thread and back.
const SMALL_BYTES: usize = 64 * 1024;

/// Does work on a body of the given length, on a thread that may block if the body is large.
pub(crate) async fn apart<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if bytes <= SMALL_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a body was not read");
        Problem::internal()
    })
}

/// Refuses a body whose announced length exceeds the limit.
pub(crate) fn check_announced(headers: &HeaderMap, bytes_max: usize) -> Result<(), Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match announced.is_some_and(|bytes| bytes > bytes_max) {
        true => Err(Problem::too_large(bytes_max)),
        false => Ok(()),
    }
}

/// Reads a body of limited length. A body that announces more is not read.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    within: Duration,
    bytes_max: usize,
) -> Result<Vec<u8>, Problem> {
    check_announced(headers, bytes_max)?;
    let collected = tokio::time::timeout(within, Limited::new(body, bytes_max).collect());
    match collected.await {
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::too_large(bytes_max)),
        Ok(Err(_)) => Err(Problem::bad("body", "the body did not arrive whole")),
        Ok(Ok(whole)) => Ok(whole.to_bytes().into()),
    }
}

/// Returns the members of a body; an empty body has none.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let document = parse_object(body).map_err(|error| Problem::bad("malformed", error.to_string()))?;
    if let Some(pointer) = document.duplicate() {
        return Err(Problem::bad("malformed", format!("the member {pointer} occurs twice")));
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad("malformed", error.to_string()))
}

/// Reads a body of limited length with the given members, each with its type: `email: string?`. Reports unknown members and values of the
/// wrong type.
pub(crate) async fn members(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    of: &[&str],
) -> Result<Map<String, Value>, Problem> {
    let bytes = read(headers, body, app.limits.body, bytes_max).await?;
    let object = object(&bytes)?;
    read_body(&fields(of), &Types::default(), object).map_err(|wrong| Problem::invalid("body", wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn work_on_a_large_body_holds_up_no_other_request() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let own = thread::current().id();
        let is_apart = |bytes| {
            let worked_at = runtime.block_on(apart(bytes, || thread::current().id()));
            worked_at.expect("an answer") != own
        };
        assert_eq!((is_apart(SMALL_BYTES), is_apart(SMALL_BYTES + 1)), (false, true));
    }
}
