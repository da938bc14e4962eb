//! The block at an address.

use host_providers::http::{Body, Client, ExchangeLimits, Method, Request, is_address};
use serde_json::Value;
use std::thread;
use std::time::Duration;

/// The header with the service key.
const KEY_HEADER: &str = "x-service-key";
/// Limits of an exchange. An interpreted block needs some time for an event.
const LIMITS: ExchangeLimits = ExchangeLimits { timeout: Duration::from_secs(30), body_bytes_max: 8 << 20 };
/// How many times a request is sent if its failure may be temporary.
pub(crate) const TRIES_MAX: u32 = 4;
/// Wait before a request is sent again, in milliseconds; doubled each time.
const AGAIN_MS: u64 = 500;

/// The reason why a request to the block failed.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// No answer arrived. It is not known what was done.
    #[error("{path}: no answer: {reason}")]
    Silent {
        /// Path of the request.
        path: String,
        /// The reason, without the key.
        reason: String,
    },
    /// The block refused the request.
    #[error("{path}: {status} {code}: {message}")]
    Refused {
        /// Path of the request.
        path: String,
        /// HTTP status.
        status: u16,
        /// The block's code.
        code: String,
        /// The block's message.
        message: String,
    },
    /// The answer is not the block's.
    #[error("{path}: the answer is not the block's: {problem}")]
    Foreign {
        /// Path of the request.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl BlockError {
    /// Returns true if the same request may succeed soon.
    pub fn is_transient(&self) -> bool {
        match self {
            BlockError::Silent { .. } => true,
            BlockError::Refused { status, .. } => *status == 429 || *status >= 500,
            BlockError::Foreign { .. } => false,
        }
    }
}

/// The address does not belong to a block.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{url}` is not the address of a block; expected https://HOST/b/NAME, or http:// on this machine only, since it carries a key"
)]
pub struct BadAddress {
    url: String,
}

/// A block, with the key of a service.
pub struct Block {
    client: Client,
    key: String,
}

impl Block {
    /// Creates a block from the address of its route, for example `https://example.com/b/provisioner`, and its service
    /// key.
    ///
    /// # Errors
    /// Fails if the address contains a query, or if the key would leave this machine without TLS.
    pub fn new(url: &str, key: String) -> Result<Block, BadAddress> {
        let url = url.trim_end_matches('/');
        if !is_address(url) || url.contains('?') {
            return Err(BadAddress { url: url.to_owned() });
        }
        Ok(Block { client: Client::new(url, LIMITS), key })
    }

    /// Sends a request, up to `tries` times as long as it may soon succeed. The block must be able to accept it twice.
    ///
    /// # Errors
    /// Fails like [`Block::send`].
    pub(crate) fn send_again(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        tries: u32,
    ) -> Result<Value, BlockError> {
        let mut wait = AGAIN_MS;
        for _ in 1..tries {
            match self.send(method, path, body) {
                Err(error) if error.is_transient() => thread::sleep(Duration::from_millis(wait)),
                done => return done,
            }
            wait *= 2;
        }
        self.send(method, path, body)
    }

    /// Sends a request and returns the answer.
    ///
    /// # Errors
    /// Fails if no answer arrives, or if it is not a success.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, BlockError> {
        let request = Request {
            method,
            path,
            bearer: "",
            headers: &[(KEY_HEADER, self.key.as_str())],
            body: body.map(|body| Body::Json(body.to_string())),
        };
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let silent = |error: host_providers::http::CallError| BlockError::Silent {
            path: path.clone(),
            reason: error.to_string(),
        };
        let reply = self.client.send(&request).map_err(silent)?;
        let foreign = |problem: String| BlockError::Foreign { path: path.clone(), problem };
        let answer: Result<Value, _> = serde_json::from_slice(&reply.body);
        if reply.is_success() {
            return answer.map_err(|error| foreign(error.to_string()));
        }
        let answer = answer.unwrap_or_default();
        let text = |name: &str| answer[name].as_str().unwrap_or("?").to_owned();
        Err(BlockError::Refused {
            path: path.clone(),
            status: reply.status,
            code: text("error"),
            message: text("message"),
        })
    }
}
