//! A token by which an account proves an entitlement, and the audit trail. Only the token's hash is stored.

use super::json_record;
use crate::model::ids::ProductId;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// Status of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenStatus {
    /// The host is creating it.
    #[default]
    Issuing,
    /// The token can be redeemed until it expires.
    Issued,
    /// The token was redeemed as often as its declaration allows.
    Redeemed,
    /// The token has expired.
    Expired,
    /// The token was revoked.
    Revoked,
}

impl TokenStatus {
    /// Returns the name in messages.
    pub fn name(self) -> &'static str {
        match self {
            TokenStatus::Issuing => "issuing",
            TokenStatus::Issued => "issued",
            TokenStatus::Redeemed => "redeemed",
            TokenStatus::Expired => "expired",
            TokenStatus::Revoked => "revoked",
        }
    }
}

/// A token. Its id, which is public, is `tok_` and sixteen hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Token {
    /// Name of its declaration in the product type.
    pub name: String,
    pub product: ProductId,
    /// The entitlement that the token requires.
    pub entitlement: String,
    /// Id of the actor that requested the token.
    pub subject: String,
    pub status: TokenStatus,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// SHA-256 of the token, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Reason of the revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Number of redemptions.
    #[serde(skip_serializing_if = "is_zero")]
    pub redeemed: i64,
}

impl Token {
    /// Returns whether the token is being issued or can be redeemed.
    pub fn is_live(&self) -> bool {
        matches!(self.status, TokenStatus::Issuing | TokenStatus::Issued)
    }
}

json_record!(Token, "tokens", live: |token| token.is_live(), references: |_| Vec::new());

/// A line of the audit trail. Its id is derived from the event that caused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Access {
    pub at: Timestamp,
    /// `token_issued`, `token_refused`, `token_revoked`, `pulled` or `pull_refused`.
    pub action: String,
    /// `None` if no token was issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    pub product: ProductId,
    pub subject: String,
    /// IP address of the request, as reported by the host.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<String>,
    /// Reason of the refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

json_record!(Access, "access_log", live: |_| false, references: |_| Vec::new());
