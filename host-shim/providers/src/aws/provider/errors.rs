//! Translates errors of the AWS SDK to call outcomes, with AWS's retry hint if there is one.
//!
//! A request that was sent but got no response is retried, not refused: it may have taken effect.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use host_provider_api::CallOutcome;
use std::error::Error;

/// Maximum number of characters of AWS's error message that an outcome includes.
const AWS_MESSAGE_MAX: usize = 300;

/// HTTP status of a throttled request, and the lowest status of a server-side error.
const TOO_MANY: u16 = 429;
const SERVER_ERROR: u16 = 500;

/// Codes of temporary errors. Errors with status 429 or 5xx are always temporary.
const TRANSIENT: &[&str] = &[
    "BucketAlreadyOwnedByYou",
    "ConcurrentModification",
    "ConflictException",
    "DeleteConflict",
    "DistributionNotDisabled",
    "EntityAlreadyExists",
    "EntityTemporarilyUnmodifiable",
    "ExpiredToken",
    "ExpiredTokenException",
    "InsufficientDBInstanceCapacity",
    "InvalidDBInstanceState",
    "InvalidDBInstanceStateFault",
    "InvalidDBSnapshotState",
    "InvalidIfMatchVersion",
    "OperationAborted",
    "PreconditionFailed",
    "PriorRequestNotComplete",
    "PriorityInUse",
    "RequestInProgressException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceConflictException",
    "ResourceInUse",
    "ResourceNotReadyException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
    "UpdateInProgressException",
];

/// Parts of messages about a role that was created or changed a moment ago. IAM's data take some seconds to propagate,
/// so until then Lambda may not know the role, or its rights to a network. ECS creates its own role with the first
/// service of an account.
const NEW_ROLE: [&str; 3] =
    ["cannot be assumed", "does not have permissions to call", "Unable to assume the service linked role"];

/// Parts of codes that mean an exhausted quota. `TooManyRequests…` is temporary and is checked first.
const QUOTA: [&str; 4] = ["QuotaExceeded", "LimitExceeded", "CodeStorageExceeded", "TooMany"];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// A failed request.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Name of the request, which is also the name of its permission: `lambda:CreateFunction`.
    request: &'static str,
    /// HTTP status of AWS's response; none without a response.
    status: Option<u16>,
    /// AWS's error code; empty if AWS sent none.
    code: String,
    aws_message: String,
    /// Whether outcomes may include AWS's error message.
    shows_aws_message: bool,
    after_ms: Option<i64>,
    /// Outcome code if there was no usable response.
    no_response_code: &'static str,
}

impl Failure {
    fn of<E>(request: &'static str, error: SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let raw = error.raw_response();
        let status = raw.map(|raw| raw.status().as_u16());
        let hint = raw.and_then(|raw| raw.headers().get("retry-after")).and_then(|text| text.parse::<u32>().ok());
        let after_ms = hint.map(|seconds| i64::from(seconds) * 1000);
        let no_response_code = match &error {
            SdkError::ConstructionFailure(_) => "bad-request",
            SdkError::TimeoutError(_) => "timeout",
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout",
            SdkError::DispatchFailure(_) => "unreachable",
            _ => "bad-answer",
        };
        let (code, aws_message) = match &error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                (meta.code().unwrap_or_default().to_owned(), meta.message().unwrap_or_default().to_owned())
            }
            other => (String::new(), DisplayErrorContext(other).to_string()),
        };
        // A response of a proxy between us and AWS has no body that the SDK can read, but its status is still used.
        let is_service = matches!(error, SdkError::ServiceError(_));
        let is_temporary = |status: &u16| *status == TOO_MANY || *status >= SERVER_ERROR;
        Failure {
            request,
            status: status.filter(|status| is_service || is_temporary(status)),
            code,
            aws_message,
            shows_aws_message: true,
            after_ms,
            no_response_code,
        }
    }

    /// Returns true if AWS's response has one of these error codes.
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Returns AWS's error message.
    pub(crate) fn aws_message(&self) -> &str {
        &self.aws_message
    }

    /// Omits AWS's error message from outcomes: it may repeat the request, which contained a secret.
    pub(crate) fn without_aws_message(self) -> Failure {
        Failure { shows_aws_message: false, ..self }
    }

    fn message(&self) -> String {
        let aws_message: String =
            self.aws_message.chars().take(if self.shows_aws_message { AWS_MESSAGE_MAX } else { 0 }).collect();
        let status = self.status.map(|status| format!(" {status}")).unwrap_or_default();
        let parts = [status.trim(), self.code.as_str(), aws_message.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}: {}", self.request, parts.join(" "))
    }
}

impl From<Failure> for CallOutcome {
    fn from(failure: Failure) -> CallOutcome {
        let message = failure.message();
        let retry = |code: &str| CallOutcome::Retry { after_ms: failure.after_ms, code: code.to_owned(), message };
        let message = failure.message();
        let Some(status) = failure.status else {
            return match failure.no_response_code {
                "bad-request" => CallOutcome::refused("bad-request", message),
                no_response_code => retry(no_response_code),
            };
        };
        let is_new_role = NEW_ROLE.iter().any(|part| failure.aws_message.contains(part));
        if status == TOO_MANY || failure.code.contains("Throttl") {
            retry("throttled")
        } else if status >= SERVER_ERROR {
            retry("unavailable")
        } else if failure.is(TRANSIENT) || is_new_role {
            retry("conflict")
        } else if failure.is(DENIED) || (status == 403 && failure.code.is_empty()) {
            CallOutcome::refused("access-denied", message)
        } else if QUOTA.iter().any(|quota| failure.code.contains(quota)) {
            CallOutcome::refused("quota-exceeded", message)
        } else {
            CallOutcome::refused("rejected", message)
        }
    }
}

/// Attaches the name of the request to an SDK result.
pub(crate) trait InRequest<T> {
    fn in_request(self, request: &'static str) -> Result<T, Failure>;
}

impl<T, E> InRequest<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn in_request(self, request: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(request, error))
    }
}

/// Turns failures with one of these codes into `None`.
pub(crate) trait NoneIf<T> {
    fn none_if(self, codes: &[&str]) -> Result<Option<T>, Failure>;
}

impl<T> NoneIf<T> for Result<T, Failure> {
    fn none_if(self, codes: &[&str]) -> Result<Option<T>, Failure> {
        match self {
            Ok(there) => Ok(Some(there)),
            Err(failure) if failure.is(codes) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Refuses because the wanted name belongs to somebody else's resource.
pub(crate) fn name_taken(name: &str) -> CallOutcome {
    CallOutcome::refused("name-taken", format!("`{name}` exists and belongs to another resource"))
}

/// Retries because AWS's response lacks a documented field.
pub(crate) fn incomplete(request: &str, missing: &str) -> CallOutcome {
    CallOutcome::retry("bad-answer", format!("{request}: the response lacks {missing}"))
}

/// Refuses a request that the SDK can't build because a required value is missing. The providers set all required
/// values.
pub(crate) fn unbuilt(error: &aws_sdk_s3::error::BuildError) -> CallOutcome {
    CallOutcome::refused("bad-request", error.to_string())
}

pub(crate) fn settle(result: Result<CallOutcome, CallOutcome>) -> CallOutcome {
    result.unwrap_or_else(|outcome| outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, code: &str) -> Failure {
        let (request, status, code) = ("lambda:X", Some(status), code.to_owned());
        let aws_message = "message".to_owned();
        Failure {
            request,
            status,
            code,
            aws_message,
            shows_aws_message: true,
            after_ms: Some(7000),
            no_response_code: "bad-answer",
        }
    }

    #[test]
    fn temporary_errors_are_retried_with_the_servers_hint() {
        for (status, code, expected) in [
            (429, "", "throttled"),
            (429, "TooManyRequestsException", "throttled"),
            (400, "Throttling", "throttled"),
            (500, "", "unavailable"),
            (503, "SlowDown", "unavailable"),
            (409, "ResourceConflictException", "conflict"),
            (412, "PreconditionFailed", "conflict"),
        ] {
            let outcome = CallOutcome::from(failure(status, code));
            let is_retry =
                matches!(&outcome, CallOutcome::Retry { code, after_ms: Some(7000), .. } if code.as_str() == expected);
            assert!(is_retry, "{status} {code}: {outcome:?}");
        }
    }

    #[test]
    fn permanent_errors_are_refused_with_a_code() {
        for (status, code, expected) in [
            (403, "AccessDenied", "access-denied"),
            (400, "TooManyBuckets", "quota-exceeded"),
            (400, "InstanceQuotaExceeded", "quota-exceeded"),
            (400, "InvalidParameterValue", "rejected"),
        ] {
            let outcome = CallOutcome::from(failure(status, code));
            assert!(matches!(&outcome, CallOutcome::Refused { code, .. } if code.as_str() == expected), "{outcome:?}");
        }
    }

    #[test]
    fn a_missing_response_is_never_a_refusal() {
        let unanswered = Failure { status: None, no_response_code: "timeout", ..failure(0, "") };
        assert!(matches!(CallOutcome::from(unanswered), CallOutcome::Retry { code, .. } if code == "timeout"));
    }

    #[test]
    fn aws_messages_that_may_repeat_a_secret_are_left_out() {
        let message = failure(400, "InvalidParameterValue").without_aws_message().message();
        assert_eq!(message, "lambda:X: 400 InvalidParameterValue");
        // The omitted message still determines the code of the outcome.
        let aws_message = "The role defined for the function cannot be assumed by Lambda.".to_owned();
        let outcome = CallOutcome::from(
            Failure { aws_message, ..failure(400, "InvalidParameterValueException") }.without_aws_message(),
        );
        assert!(matches!(outcome, CallOutcome::Retry { code, .. } if code == "conflict"));
    }
}
