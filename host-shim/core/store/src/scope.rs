//! A row belongs to a scope: one account in a partition. A partition is one business in one mode.

use extension_contract::Account;

/// One business in one mode, with its own catalog, claims and queues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The business whose catalog and configuration apply, for example `solobase`.
    pub business: String,
    /// True for live mode (real money).
    pub livemode: bool,
}

impl Partition {
    /// Returns the scope of an account in this business and mode.
    pub fn scope(&self, account: Account) -> Scope {
        Scope { business: self.business.clone(), livemode: self.livemode, account }
    }

    /// Returns the name of the partition in keys: `business/mode`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.business, mode(self.livemode))
    }
}

/// One account of one business in one mode. Scopes share no rows; only claims are shared, within a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The business whose catalog and configuration apply, for example `solobase`.
    pub business: String,
    /// True for live mode (real money).
    pub livemode: bool,
    /// The account.
    pub account: Account,
}

impl Scope {
    /// Returns the scope of another account in the same business and mode.
    pub fn with_account(&self, account: Account) -> Self {
        Scope { business: self.business.clone(), livemode: self.livemode, account }
    }

    /// Returns the scope that owns the catalog.
    pub fn catalog(&self) -> Self {
        self.with_account(Account::Platform)
    }

    /// Returns the business and mode.
    pub fn partition(&self) -> Partition {
        Partition { business: self.business.clone(), livemode: self.livemode }
    }

    /// Returns the name of the scope in keys: `business/mode/account`.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.business, mode(self.livemode), self.account)
    }

    /// Returns the prefix of the claim keys of this business and mode: `business/mode`. A full key is
    /// `business/mode/connected-account/kind:id`; the connected account is empty for the platform's own claims.
    pub fn claim_space(&self) -> String {
        format!("{}/{}", self.business, mode(self.livemode))
    }
}

/// Returns the text of a mode.
pub fn mode(livemode: bool) -> &'static str {
    if livemode { "live" } else { "test" }
}
