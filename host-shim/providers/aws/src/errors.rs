//! What AWS refuses, as an answer: with its own hint when to come again, and "unknown" for whatever was not heard.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use host_provider_api::CallOutcome;
use std::error::Error;

/// Characters of AWS's own words that an answer carries.
const WORDS_MAX: usize = 300;

/// Codes of refusals that pass by themselves; statuses 429 and 5xx do in any case.
const PASSING: &[&str] = &[
    "BucketAlreadyOwnedByYou",
    "ConcurrentModification",
    "ConflictException",
    "DistributionNotDisabled",
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
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
];

/// What of a code says that a quota is full. `TooMany…` of requests is passing and judged before.
const QUOTA: [&str; 4] = ["QuotaExceeded", "LimitExceeded", "CodeStorageExceeded", "TooMany"];
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Why a request came to nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Which request: `lambda:CreateFunction`, the name of its permission.
    request: &'static str,
    /// HTTP status of AWS's answer; none if nothing was heard.
    status: Option<u16>,
    /// AWS's code; empty if it gave none.
    code: String,
    words: String,
    /// Whether an answer may carry the words.
    are_told: bool,
    after_ms: Option<i64>,
    /// What to tell of one that was not answered.
    unheard: &'static str,
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
        let unheard = match &error {
            SdkError::ConstructionFailure(_) => "bad-request",
            SdkError::TimeoutError(_) => "timeout",
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "timeout",
            SdkError::DispatchFailure(_) => "unreachable",
            _ => "bad-answer",
        };
        let (code, words) = match &error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                (meta.code().unwrap_or_default().to_owned(), meta.message().unwrap_or_default().to_owned())
            }
            other => (String::new(), DisplayErrorContext(other).to_string()),
        };
        let is_service = matches!(error, SdkError::ServiceError(_));
        Failure { request, status: status.filter(|_| is_service), code, words, are_told: true, after_ms, unheard }
    }

    /// True if AWS answered with one of these codes.
    pub(crate) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// AWS's own words, for a reader that knows what it looks for.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// Without AWS's words: they may repeat what was sent, and there was a secret in it.
    pub(crate) fn without_words(self) -> Failure {
        Failure { are_told: false, ..self }
    }

    fn message(&self) -> String {
        let words: String = self.words.chars().take(if self.are_told { WORDS_MAX } else { 0 }).collect();
        let status = self.status.map(|status| format!(" {status}")).unwrap_or_default();
        let parts = [status.trim(), self.code.as_str(), words.as_str()];
        let told: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{}: {}", self.request, told.join(" "))
    }
}

impl From<Failure> for CallOutcome {
    fn from(failure: Failure) -> CallOutcome {
        let message = failure.message();
        let retry = |code: &str| CallOutcome::Retry { after_ms: failure.after_ms, code: code.to_owned(), message };
        let message = failure.message();
        let Some(status) = failure.status else {
            return match failure.unheard {
                "bad-request" => CallOutcome::refused("bad-request", message),
                unheard => retry(unheard),
            };
        };
        // A role that was made a moment ago is not known everywhere yet.
        let is_new_role = failure.words.contains("cannot be assumed");
        if status == 429 || failure.code.contains("Throttl") {
            retry("throttled")
        } else if status >= 500 {
            retry("unavailable")
        } else if failure.is(PASSING) || is_new_role {
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

/// A result of the SDK under the name of its request.
pub(crate) trait Told<T> {
    fn told(self, request: &'static str) -> Result<T, Failure>;
}

impl<T, E> Told<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn told(self, request: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(request, error))
    }
}

/// What is there, or none where AWS says with one of these codes that it isn't.
pub(crate) trait Unless<T> {
    fn unless(self, codes: &[&str]) -> Result<Option<T>, Failure>;
}

impl<T> Unless<T> for Result<T, Failure> {
    fn unless(self, codes: &[&str]) -> Result<Option<T>, Failure> {
        match self {
            Ok(there) => Ok(Some(there)),
            Err(failure) if failure.is(codes) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Something that others have under the wanted name.
pub(crate) fn name_taken(name: &str) -> CallOutcome {
    CallOutcome::refused("name-taken", format!("`{name}` exists and is not this resource's"))
}

/// An answer of AWS in which something is missing that its documentation promises.
pub(crate) fn incomplete(request: &str, missing: &str) -> CallOutcome {
    CallOutcome::retry("bad-answer", format!("{request}: an answer without {missing}"))
}

/// A request that can't be written down, which the parts that a provider puts in never are.
pub(crate) fn unbuilt(error: &aws_sdk_s3::error::BuildError) -> CallOutcome {
    CallOutcome::refused("bad-request", error.to_string())
}

pub(crate) fn settle(result: Result<CallOutcome, CallOutcome>) -> CallOutcome {
    result.unwrap_or_else(|answer| answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, code: &str) -> Failure {
        let (request, status, code) = ("lambda:X", Some(status), code.to_owned());
        let words = "words".to_owned();
        Failure { request, status, code, words, are_told: true, after_ms: Some(7000), unheard: "bad-answer" }
    }

    #[test]
    fn what_passes_is_tried_again_with_the_servers_hint() {
        for (status, code, expected) in [
            (429, "", "throttled"),
            (429, "TooManyRequestsException", "throttled"),
            (400, "Throttling", "throttled"),
            (500, "", "unavailable"),
            (503, "SlowDown", "unavailable"),
            (409, "ResourceConflictException", "conflict"),
            (412, "PreconditionFailed", "conflict"),
        ] {
            let answer = CallOutcome::from(failure(status, code));
            let is_retry =
                matches!(&answer, CallOutcome::Retry { code, after_ms: Some(7000), .. } if code.as_str() == expected);
            assert!(is_retry, "{status} {code}: {answer:?}");
        }
    }

    #[test]
    fn what_never_passes_is_refused_with_a_code() {
        for (status, code, expected) in [
            (403, "AccessDenied", "access-denied"),
            (400, "TooManyBuckets", "quota-exceeded"),
            (400, "InstanceQuotaExceeded", "quota-exceeded"),
            (400, "InvalidParameterValue", "rejected"),
        ] {
            let answer = CallOutcome::from(failure(status, code));
            assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code.as_str() == expected), "{answer:?}");
        }
    }

    #[test]
    fn silence_is_never_a_refusal() {
        let unheard = Failure { status: None, unheard: "timeout", ..failure(0, "") };
        assert!(matches!(CallOutcome::from(unheard), CallOutcome::Retry { code, .. } if code == "timeout"));
    }

    #[test]
    fn words_that_may_repeat_a_secret_are_left_out() {
        let told = failure(400, "InvalidParameterValue").without_words().message();
        assert_eq!(told, "lambda:X: 400 InvalidParameterValue");
        // They still say what kind of refusal it is.
        let words = "The role defined for the function cannot be assumed by Lambda.".to_owned();
        let answer =
            CallOutcome::from(Failure { words, ..failure(400, "InvalidParameterValueException") }.without_words());
        assert!(matches!(answer, CallOutcome::Retry { code, .. } if code == "conflict"));
    }
}
