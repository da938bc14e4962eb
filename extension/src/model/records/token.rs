//! A token that an account was given to prove what it may have: its hash alone is kept, never the token.

use super::json_record;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};

/// Where a token stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenStatus {
    /// The host makes it.
    #[default]
    Issuing,
    /// It can be redeemed until its time is over.
    Issued,
    /// Its time is over.
    Expired,
    /// It counts no more.
    Revoked,
}

impl TokenStatus {
    /// Name in messages.
    pub fn name(self) -> &'static str {
        match self {
            TokenStatus::Issuing => "issuing",
            TokenStatus::Issued => "issued",
            TokenStatus::Expired => "expired",
            TokenStatus::Revoked => "revoked",
        }
    }
}

/// A token; its id, which is public, is `tok_` and sixteen digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Token {
    /// Which one of its product's tokens it is.
    pub name: String,
    pub product: String,
    /// The entitlement that it stands on.
    pub entitlement: String,
    /// Who asked for it.
    pub subject: String,
    pub status: TokenStatus,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// SHA-256 of the token, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why it counts no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it was redeemed.
    #[serde(skip_serializing_if = "is_zero")]
    pub redeemed: i64,
}

impl Token {
    /// Whether it can be redeemed, or will be before its time is over.
    pub fn is_live(&self) -> bool {
        matches!(self.status, TokenStatus::Issuing | TokenStatus::Issued)
    }
}

json_record!(Token, "tokens", live: |token| token.is_live(), references: |_| Vec::new());

/// One line of the audit trail: its id derives from the event that brought it about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Access {
    pub at: Timestamp,
    /// `token_issued`, `token_refused`, `token_revoked`, `pulled` or `pull_refused`.
    pub action: String,
    /// None where none was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    pub product: String,
    pub subject: String,
    /// The address that it was asked from, as the host tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

json_record!(Access, "access_log", live: |_| false, references: |_| Vec::new());
