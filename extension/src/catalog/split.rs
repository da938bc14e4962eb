//! The clause `split`: the account that receives a share of a product's revenue.

use super::schema::TypeDecl;
use crate::model::json::Object;
use extension_contract::Account;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;

/// Default hold period of a share, in days.
const HOLD_DAYS: u32 = 7;
/// Number of basis points in the whole.
pub(crate) const WHOLE_BP: u32 = 10_000;

/// The clause `split` of a product type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Placeholder of the field with the account: `{product.creator}`.
    pub to: String,
    /// The account's share in basis points. The platform keeps the rest.
    pub share_bp: u32,
    /// Days from the sale until the share can be paid out.
    #[serde(default = "hold_days")]
    pub hold_days: u32,
    /// Minimum price in minor units. Products for 0 are allowed as well.
    #[serde(default, skip_serializing_if = "crate::model::json::is_zero")]
    pub min: i64,
}

fn hold_days() -> u32 {
    HOLD_DAYS
}

impl Split {
    /// Returns the name of the field with the account.
    pub(crate) fn field(&self) -> Option<&str> {
        self.to.strip_prefix("{product.")?.strip_suffix('}')
    }
}

/// The share of a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Share {
    /// Text form of the account.
    pub to: String,
    pub share_bp: u32,
    pub hold_days: u32,
}

impl Share {
    /// Returns the share of a product with this metadata; `None` if the product has no share.
    pub(crate) fn of(decl: &TypeDecl, metadata: &Object) -> Option<Share> {
        let split = decl.split.as_ref()?;
        let to = metadata.get(split.field()?)?.as_str()?;
        Some(Share { to: to.to_owned(), share_bp: split.share_bp, hold_days: split.hold_days })
    }
}

/// Parses an account in the form `user:ID` or `organization:ID`; `None` for other texts.
pub(crate) fn account_of(text: &str) -> Option<Account> {
    let (kind, id) = text.split_once(':')?;
    if id.is_empty() || id.len() > super::product::ID_BYTES || id.chars().any(char::is_control) {
        return None;
    }
    match kind {
        "user" => Some(Account::User(id.to_owned())),
        "organization" => Some(Account::Organization(id.to_owned())),
        _ => None,
    }
}

/// Returns the text form of an account.
pub(crate) fn text_of(account: &Account) -> String {
    match account {
        Account::Platform => "platform".to_owned(),
        Account::User(id) => format!("user:{id}"),
        Account::Organization(id) => format!("organization:{id}"),
    }
}
