//! Reads the body of a request, within a limit of size and a limit of time; also as the members of a fixed form.

use crate::front::AppState;
use crate::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use host_intake::body::BODY_BYTES_MAX;
use host_routes::{Field, Type, Types, read_body};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use std::time::Duration;

/// Reads a body. A body that announces too many bytes is not read.
pub(crate) async fn read(headers: &HeaderMap, body: Body, within: Duration) -> Result<Vec<u8>, Problem> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(within, Limited::new(body, BODY_BYTES_MAX).collect());
    match collected.await {
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad("body", "the body did not arrive whole")),
        Ok(Ok(whole)) => Ok(whole.to_bytes().into()),
    }
}

/// Reads a body with these members. Others, and values of another type, are told.
pub(crate) async fn members(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
    of: &[(&str, Type)],
) -> Result<Map<String, Value>, Problem> {
    let bytes = read(headers, body, app.limits.body).await?;
    let field = |(name, value_type): &(&str, Type)| Field {
        name: (*name).to_owned(),
        value_type: value_type.clone(),
        about: String::new(),
        default: None,
    };
    let fields: Vec<Field> = of.iter().map(field).collect();
    let object = crate::routes::object(&bytes)?;
    read_body(&fields, &Types::default(), object).map_err(|errors| Problem::invalid("body", &errors))
}

fn too_large() -> Problem {
    let detail = format!("expected at most {BODY_BYTES_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}
