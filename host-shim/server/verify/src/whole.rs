//! Compares a whole store: first reads all of Stripe's objects, then the records of each account. A difference counts only if
//! it still exists when both sides are read again, since a delivery may have been on its way.

use crate::difference::{Found, What, difference};
use crate::error::VerifyError;
use crate::facts::Kind;
use crate::mend::{Difference, Mender};
use crate::ours::{OurSide, Ours};
use crate::owner::{Owner, owner};
use crate::scratch::Scratch;
use crate::stripe::{Fetched, StripeAccess};
use crate::theirs::{self, Theirs};
use extension_contract::Timestamp;
use host_engine::processor::Answerer;
use host_provider_api::{ObjectQuery, ObjectsOf};
use host_store::Partition;
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// Maximum number of differences that are kept; the others are only counted.
pub const DIFFERENCES_MAX: usize = 1_000;

/// An object at Stripe that belongs to no account of the business: either its events are missing, or it does not belong to
/// the business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unowned {
    /// Kind of the object.
    pub kind: Kind,
    /// Its id; for a payment, the id of its payment intent, or of its charge if it has none.
    pub id: String,
    /// The claims by which an account would have it, most specific first.
    pub claims: Vec<String>,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Number of recorded objects and of Stripe's objects, by kind.
    pub counts: BTreeMap<Kind, (u64, u64)>,
    /// Number of Stripe's objects that carry the mark of another business or mode.
    pub of_others: u64,
    /// Number of Stripe's objects that belong to no account of the business.
    pub of_nobody: u64,
    /// Some of them, at most [`DIFFERENCES_MAX`]; the others are not checked again.
    pub unowned: Vec<Unowned>,
    /// Number of objects that differ.
    pub differing: u64,
    /// The differences, at most [`DIFFERENCES_MAX`]; the others are not checked again.
    pub differences: Vec<Difference>,
}

/// The current step of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has read this number of Stripe's objects of a kind.
    Listed(Kind, u64),
    /// It has compared this many of all accounts.
    Accounts(usize, usize),
    /// It is checking the differences again.
    Again,
}

/// Everything that a comparison needs. It only reads.
pub struct Verifier<'a> {
    /// Answers questions about the store.
    pub answerer: &'a mut Answerer,
    /// Business and mode.
    pub partition: Partition,
    /// Reads Stripe.
    pub stripe: &'a StripeAccess,
    /// The time.
    pub now: Timestamp,
    /// Time until the differences are checked again.
    pub wait: Duration,
}

impl Verifier<'_> {
    /// Compares both sides.
    ///
    /// # Errors
    /// Fails if one side cannot be read.
    pub fn verify(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<Verified, VerifyError> {
        let mut verified = Verified::default();
        let scratch = Scratch::open()?;
        for kind in Kind::ALL {
            let listed = self.list(kind, &scratch, progress)?;
            verified.counts.insert(kind, (0, listed));
        }
        let partition = self.partition.clone();
        let scopes = self.answerer.read(|store| store.scopes(Some(&partition)))?;
        let (mut found, mut unowned) = (Vec::new(), Vec::new());
        for (at, scope) in scopes.iter().enumerate() {
            self.our_side().each(&scope.account, &mut |ours| {
                verified.counts.entry(ours.kind).or_default().0 += 1;
                let theirs = scratch.see(ours.kind, &ours.id)?;
                let one = difference(ours.kind, &scope.account, Some(&ours), theirs.as_ref());
                keep(&mut found, &mut verified.differing, one);
                Ok(())
            })?;
            progress(Progress::Accounts(at + 1, scopes.len()));
        }
        for kind in Kind::ALL {
            let mut after = String::new();
            loop {
                let page = scratch.unseen(kind, &after)?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.id);
                for theirs in &page {
                    match owner(self.answerer, &partition, kind, theirs)? {
                        Owner::Elsewhere => verified.of_others += 1,
                        Owner::Nobody => {
                            verified.of_nobody += 1;
                            unowned.extend((unowned.len() < DIFFERENCES_MAX).then(|| (kind, theirs.clone())));
                        }
                        Owner::Erased => {}
                        Owner::Account(account) => {
                            let one = difference(kind, &account, None, Some(theirs));
                            keep(&mut found, &mut verified.differing, one);
                        }
                    }
                }
            }
        }
        drop(scratch);
        if !found.is_empty() || !unowned.is_empty() {
            progress(Progress::Again);
            thread::sleep(self.wait);
            for (kind, theirs) in unowned {
                match owner(self.answerer, &partition, kind, &theirs)? {
                    Owner::Nobody => {
                        let Theirs { id, keys, .. } = theirs;
                        verified.unowned.push(Unowned { kind, id, claims: keys });
                        continue;
                    }
                    Owner::Elsewhere | Owner::Erased => {}
                    // The event with its account has arrived in the meantime; its own may still be missing.
                    Owner::Account(account) => {
                        let one = difference(kind, &account, None, Some(&theirs));
                        keep(&mut found, &mut verified.differing, one);
                    }
                }
                verified.of_nobody -= 1;
            }
            let confirmed = self.confirmed(&found)?;
            // Differences that were not kept cannot be checked again.
            verified.differing -= (found.len() - confirmed.len()) as u64;
            verified.differences = self.mended(confirmed)?;
        }
        Ok(verified)
    }

    fn our_side(&mut self) -> OurSide<'_> {
        OurSide { answerer: self.answerer, partition: &self.partition, now: self.now }
    }

    /// Reads Stripe's objects of a kind, and returns their number.
    fn list(&self, kind: Kind, scratch: &Scratch, progress: &mut dyn FnMut(Progress)) -> Result<u64, VerifyError> {
        let mut query = ObjectQuery::first(self.partition.livemode, kind.listed(), ObjectsOf::All);
        let mut count = 0;
        loop {
            let page = self.stripe.objects.objects(&query).map_err(|error| VerifyError::List { kind, error })?;
            let read = page.objects.iter().filter_map(|object| theirs::read(kind, object).transpose());
            let read: Vec<Theirs> = read.collect::<Result<_, _>>()?;
            scratch.put(kind, &read)?;
            count += read.len() as u64;
            progress(Progress::Listed(kind, count));
            match page.next {
                None => return Ok(count),
                next => query.after = next,
            }
        }
    }

    /// Returns the differences that still exist.
    fn confirmed(&mut self, found: &[Found]) -> Result<Vec<Found>, VerifyError> {
        let mut confirmed = Vec::new();
        for one in found {
            let within = one.related.first().map(String::as_str);
            let ours = self.our_side().again(&one.account, one.kind, &one.id, within)?;
            let theirs = self.stripe.fetch(&self.partition, one.kind, id_at_stripe(one, ours.as_ref()))?;
            confirmed.extend(match theirs {
                Fetched::Object(theirs) => difference(one.kind, &one.account, ours.as_ref(), Some(&theirs)),
                Fetched::Nothing => difference(one.kind, &one.account, ours.as_ref(), None),
                Fetched::NotCompared => None,
            });
        }
        Ok(confirmed)
    }

    /// Adds the commands that fix the differences.
    fn mended(&mut self, found: Vec<Found>) -> Result<Vec<Difference>, VerifyError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let events = self.stripe.events(&self.partition, self.now)?;
        let (partition, now) = (&self.partition, self.now);
        Mender { answerer: self.answerer, partition, events: &events, now }.mend(found)
    }
}

/// Returns the id with which an object is fetched again; for a payment, that is the id of its charge.
fn id_at_stripe<'o>(one: &'o Found, ours: Option<&'o Ours>) -> &'o str {
    let charge = match &one.what {
        What::OnlyTheirs(facts) => facts.get("charge").and_then(Value::as_str),
        What::Fields(fields) => fields.iter().find(|it| it.field == "charge").and_then(|it| it.theirs.as_str()),
        What::OnlyOurs(_) => None,
    };
    charge.filter(|_| one.kind == Kind::Payment).or(ours.map(Ours::id_at_stripe)).unwrap_or(&one.id)
}

fn keep(found: &mut Vec<Found>, differing: &mut u64, one: Option<Found>) {
    let Some(one) = one else { return };
    *differing += 1;
    if found.len() < DIFFERENCES_MAX {
        found.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use extension_contract::Account;

    #[test]
    fn differences_are_kept_up_to_a_maximum_and_all_are_counted() {
        let (mut found, mut differing) = (Vec::new(), 0);
        let theirs = Theirs { id: "in_1".to_owned(), facts: Facts::new(), keys: Vec::new(), scope: None, effect: None };
        for _ in 0..DIFFERENCES_MAX + 7 {
            let one = difference(Kind::Invoice, &Account::Platform, None, Some(&theirs));
            keep(&mut found, &mut differing, one);
        }
        assert_eq!((found.len(), differing), (DIFFERENCES_MAX, DIFFERENCES_MAX as u64 + 7));
    }
}
