//! The actor behind a request, and the accounts that it can access.

use extension_contract::{Account, Actor, ActorKind};
use host_store::Partition;
use std::collections::BTreeMap;

/// The business of a key of the whole server. No business can have this name.
pub const SERVER: &str = "*";

/// The accounts that a caller may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only these accounts.
    Accounts(Vec<Account>),
    /// All accounts of the business, for operators and services.
    All,
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Id of the key.
    pub key: String,
    /// Business and mode.
    pub partition: Partition,
    /// The actor that the caller acts as.
    pub actor: Actor,
    /// The accounts that the caller may name.
    pub reach: Reach,
    /// The actors that the caller acts as in some accounts, in place of `actor`: a member of an organization acts with the
    /// roles of that membership.
    pub in_accounts: BTreeMap<Account, Actor>,
}

impl Caller {
    /// Returns true if the caller may name the account.
    pub fn reaches(&self, account: &Account) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Accounts(accounts) => accounts.contains(account),
        }
    }

    /// Returns the account of a request that names none: the user's own, or else the only account that the caller can access.
    pub fn own_account(&self) -> Option<&Account> {
        let Reach::Accounts(accounts) = &self.reach else { return None };
        let is_own = |account: &&Account| matches!(account, Account::User(id) if *id == self.actor.subject);
        let own = accounts.iter().find(is_own).filter(|_| self.actor.kind == ActorKind::User);
        own.or(if accounts.len() == 1 { accounts.first() } else { None })
    }

    /// Returns the actor that the caller acts as in an account.
    pub fn actor_in(&self, account: &Account) -> Actor {
        self.in_accounts.get(account).unwrap_or(&self.actor).clone()
    }

    /// Returns true for the key of a whole server, which cannot access any business but can read the metrics of all.
    pub fn is_of_server(&self) -> bool {
        self.partition.business == SERVER
    }

    /// Returns true for an operator of the platform.
    pub fn is_operator(&self) -> bool {
        self.actor.kind == ActorKind::Admin
    }

    /// Returns true for a caller that may report events of the business: a service or an operator.
    pub fn is_service(&self) -> bool {
        matches!(self.actor.kind, ActorKind::Admin | ActorKind::Service)
    }
}
