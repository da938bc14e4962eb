//! Compares one account with Stripe, in three steps: [`AccountRecords::read`] and [`BothSides::compare`] wait only for the
//! store, and [`AccountRecords::fetch`] waits only for Stripe. So a server can take each step on a thread that may wait for
//! it.

use crate::difference::{Found, difference};
use crate::error::VerifyError;
use crate::facts::{Facts, Kind};
use crate::gather::{Gathered, gather};
use crate::mend::{Difference, Mender};
use crate::ours::Ours;
use crate::owner::{Owner, owner};
use crate::records::AccountRecords;
use crate::stripe::StripeAccess;
use crate::theirs::Theirs;
use extension_contract::Account;
use host_engine::processor::Answerer;
use host_store::{Partition, Stored};
use serde_json::Value;

/// Both sides of an account, before they are compared.
#[derive(Debug)]
pub struct BothSides {
    records: AccountRecords,
    pairs: Vec<Pair>,
    /// The events that Stripe still has, if a pair differs.
    events: Vec<Value>,
    is_complete: bool,
}

/// The two sides of an object, at least one of which exists.
#[derive(Debug)]
struct Pair {
    kind: Kind,
    ours: Option<Ours>,
    theirs: Option<Theirs>,
}

/// An object with the facts of both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// Kind of the object.
    pub kind: Kind,
    /// Its id, the same as in a difference.
    pub id: String,
    /// The facts of the record, if there is one.
    pub ours: Option<Facts>,
    /// The facts of Stripe's object, if Stripe has one.
    pub theirs: Option<Facts>,
}

/// The result of the comparison of an account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountVerified {
    /// Ids of the account's customers at Stripe.
    pub customers: Vec<String>,
    /// All compared objects: those with a record, then those that only Stripe has.
    pub objects: Vec<Beside>,
    /// The objects that differ. A delivery still on its way counts as a difference.
    pub differences: Vec<Difference>,
    /// False if some objects were not compared because the account has too many.
    pub is_complete: bool,
}

impl AccountRecords {
    /// Reads Stripe's objects of the account, and Stripe's events if something differs. Nothing is changed.
    ///
    /// # Errors
    /// Fails if Stripe does not answer.
    pub fn fetch(mut self, stripe: &StripeAccess) -> Result<BothSides, VerifyError> {
        let Gathered { mut theirs, not_compared, is_complete } = gather(&self, stripe)?;
        let ours = std::mem::take(&mut self.ours).into_iter();
        let compared = ours.filter(|ours| !not_compared.contains(&(ours.kind, ours.id.clone())));
        let mut pairs: Vec<Pair> = compared
            .map(|ours| {
                let theirs = theirs.remove(&(ours.kind, ours.id.clone()));
                Pair { kind: ours.kind, ours: Some(ours), theirs }
            })
            .collect();
        pairs.extend(theirs.into_iter().map(|((kind, _), theirs)| Pair { kind, ours: None, theirs: Some(theirs) }));
        let differs = pairs.iter().any(|pair| pair.difference(&self.account).is_some());
        let events = if differs { stripe.events(&self.partition, self.now)? } else { Vec::new() };
        Ok(BothSides { records: self, pairs, events, is_complete })
    }
}

impl BothSides {
    /// Compares both sides, and finds the command that fixes each difference.
    ///
    /// # Errors
    /// Fails if the store does not answer.
    pub fn compare(self, answerer: &mut Answerer) -> Result<AccountVerified, VerifyError> {
        let BothSides { records, pairs, events, is_complete } = self;
        let AccountRecords { partition, account, now, customers, .. } = records;
        let (mut objects, mut found) = (Vec::new(), Vec::new());
        for pair in pairs {
            if pair.is_of(answerer, &partition, &account)? {
                found.extend(pair.difference(&account));
                objects.extend(pair.beside());
            }
        }
        let mut mender = Mender { answerer, partition: &partition, events: &events, now };
        let differences = if found.is_empty() { Vec::new() } else { mender.mend(found)? };
        Ok(AccountVerified { customers, objects, differences, is_complete })
    }
}

impl Pair {
    fn difference(&self, account: &Account) -> Option<Found> {
        difference(self.kind, account, self.ours.as_ref(), self.theirs.as_ref())
    }

    /// Returns true if the object belongs to an account, which has a record of it or should have one.
    fn is_of(&self, answerer: &mut Answerer, partition: &Partition, account: &Account) -> Stored<bool> {
        match (&self.ours, &self.theirs) {
            (None, Some(theirs)) => {
                let owner = owner(answerer, partition, self.kind, theirs)?;
                Ok(matches!(owner, Owner::Account(owner) if owner == *account))
            }
            _ => Ok(true),
        }
    }

    fn beside(self) -> Option<Beside> {
        let Pair { kind, ours, theirs } = self;
        let id = ours.as_ref().map(|ours| &ours.id).or(theirs.as_ref().map(|theirs| &theirs.id))?.clone();
        Some(Beside { kind, id, ours: ours.map(|ours| ours.facts), theirs: theirs.map(|theirs| theirs.facts) })
    }
}
