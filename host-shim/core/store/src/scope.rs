//! Whose rows are meant: a business in a mode, and an account of it.

use extension_contract::Account;

/// One business in one mode. It has a catalog, claims and queues of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The business whose catalog and configuration apply, for example `solobase`.
    pub business: String,
    /// True for real money.
    pub livemode: bool,
}

impl Partition {
    /// The scope of an account in this business and mode.
    pub fn scope(&self, account: Account) -> Scope {
        Scope { business: self.business.clone(), livemode: self.livemode, account }
    }

    /// Text that names the partition in keys: `business/mode`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.business, mode(self.livemode))
    }
}

/// One account of one business in one mode. Rows of two scopes never meet; only claims are shared, within a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The business whose catalog and configuration apply, for example `solobase`.
    pub business: String,
    /// True for real money.
    pub livemode: bool,
    /// The account.
    pub account: Account,
}

impl Scope {
    /// The scope of `account` in the business and mode of this one.
    pub fn with_account(&self, account: Account) -> Self {
        Scope { business: self.business.clone(), livemode: self.livemode, account }
    }

    /// The scope that owns the catalog of this one.
    pub fn catalog(&self) -> Self {
        self.with_account(Account::Platform)
    }

    /// The business and mode.
    pub fn partition(&self) -> Partition {
        Partition { business: self.business.clone(), livemode: self.livemode }
    }

    /// Text that names the scope in keys: `business/mode/account`.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.business, mode(self.livemode), self.account)
    }

    /// Prefix of the claim keys of this business and mode: `business/mode`. The full key is
    /// `business/mode/connected-account/kind:id`, the connected account empty for the platform's own.
    pub fn claim_space(&self) -> String {
        format!("{}/{}", self.business, mode(self.livemode))
    }
}

fn mode(livemode: bool) -> &'static str {
    if livemode { "live" } else { "test" }
}
