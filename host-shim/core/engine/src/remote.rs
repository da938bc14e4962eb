//! The requests and answers exchanged by an outbox on another machine and its worker: a block of a Solobase platform, and
//! `provisioner outbox`.

use extension_contract::Timestamp;
use host_provider_api::Reply;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum number of calls that are lent at the same time.
pub const CALLS_MAX: usize = 16;

/// Maximum length of a body that a block accepts, in bytes. The platform gives a block 100 000 000 units of fuel for a call, and a
/// body arrives as a JSON list of numbers.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// `POST /outbox/lease`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Name of the worker. It must be the same after a restart, and no other worker may have it.
    pub owner: String,
    /// Maximum number of calls; at most [`CALLS_MAX`].
    pub limit: usize,
    /// True for the first request of a restarted worker: the calls that it had are lent once more.
    #[serde(default)]
    pub restarted: bool,
}

/// A call for the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LentCall {
    /// Kind of the effect.
    pub kind: String,
    /// Account that requested the effect.
    pub account: String,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Arguments of the effect.
    pub payload: Value,
    /// Token of work in progress.
    pub token: Option<String>,
    /// Time by which the effect ends without an answer, in milliseconds since the epoch.
    pub deadline: Option<Timestamp>,
    /// Number of the lease.
    pub lease: u64,
}

/// The answer to a [`Lease`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Leased {
    /// Name of the business.
    pub business: String,
    /// True for real money.
    pub livemode: bool,
    /// Calls to make, each with an answer within five minutes.
    pub calls: Vec<LentCall>,
    /// True if more is due now.
    pub more: bool,
    /// Time at which something is next due, in milliseconds since the epoch.
    pub next: Option<Timestamp>,
}

/// An answer of the worker to a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Account, key, generation and lease of the call.
    pub account: String,
    /// Key of the effect.
    pub key: String,
    /// Generation of the effect.
    pub generation: u32,
    /// Number of the lease.
    pub lease: u64,
    /// The provider's reply; silence while the worker is still making the call.
    pub reply: Reply,
}
