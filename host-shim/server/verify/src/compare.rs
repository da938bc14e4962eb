//! Compares the two sides: all of Stripe's objects are read first, then the records of each account. A difference counts only
//! if it is still there when both sides are read again, since a delivery may have been on its way.

use crate::error::VerifyError;
use crate::facts::{Facts, Kind};
use crate::mend::{Mend, Mender};
use crate::ours::{OurSide, Ours};
use crate::scratch::Scratch;
use crate::theirs::{self, Theirs};
use extension_contract::{Account, Timestamp};
use host::processor::Answerer;
use host_provider_api::{Call, CallOutcome, EventList, ObjectList, ObjectQuery, ObjectsOf, Registry, Reply};
use host_store::{EffectState, Partition};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// Maximum number of differences that are kept; the others are only counted.
pub const DIFFERENCES_MAX: usize = 1_000;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDifference {
    /// Name of the field.
    pub field: String,
    /// The value in the store.
    pub ours: Value,
    /// The value at Stripe.
    pub theirs: Value,
}

/// How an object differs.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Some fields differ.
    Fields(Vec<FieldDifference>),
    /// Only the store has the object.
    OnlyOurs(Facts),
    /// Only Stripe has the object.
    OnlyTheirs(Facts),
}

/// An object that differs, without the command that mends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Kind of the object.
    pub kind: Kind,
    /// Its id; of a payment the id of its payment intent, or of its charge if it has none.
    pub id: String,
    /// The account.
    pub account: Account,
    /// The difference.
    pub what: What,
    /// Ids of other objects whose events change the record.
    pub(crate) related: Vec<String>,
}

/// An object that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The object and its difference.
    pub found: Found,
    /// The command that mends it.
    pub mend: Mend,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Number of recorded objects and of Stripe's objects, by kind.
    pub counts: BTreeMap<Kind, (u64, u64)>,
    /// Number of Stripe's objects that belong to no account of the business.
    pub of_others: u64,
    /// Number of objects that differ.
    pub differing: u64,
    /// The differences, at most [`DIFFERENCES_MAX`]; the others are not looked at again.
    pub differences: Vec<Difference>,
}

/// What a comparison does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has read this number of Stripe's objects of a kind.
    Listed(Kind, u64),
    /// It has compared this number of accounts, of all.
    Accounts(usize, usize),
    /// It looks at the differences again.
    Again,
}

/// Everything that a comparison needs. It only reads.
pub struct Verifier<'a> {
    /// Answers questions about the store.
    pub answerer: &'a mut Answerer,
    /// Business and mode.
    pub partition: Partition,
    /// Lists Stripe's objects.
    pub objects: &'a dyn ObjectList,
    /// Lists Stripe's events.
    pub events: &'a dyn EventList,
    /// The providers, for `stripe.retrieve`, which only reads.
    pub registry: &'a Registry,
    /// The time.
    pub now: Timestamp,
    /// Time until the differences are looked at again.
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
        let mut found = Vec::new();
        for (at, scope) in scopes.iter().enumerate() {
            self.our_side().each(&scope.account, &mut |ours| {
                verified.counts.entry(ours.kind).or_default().0 += 1;
                let theirs = scratch.see(ours.kind, &ours.id)?;
                let account = scope.account.clone();
                keep(&mut found, &mut verified.differing, difference(account, Some(&ours), theirs.as_ref()));
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
                    match self.account_of(theirs)? {
                        None => verified.of_others += 1,
                        Some(account) if kind == Kind::Transfer && self.is_erased(&account, theirs)? => {}
                        Some(account) => {
                            let one = difference_of(kind, account, None, Some(theirs));
                            keep(&mut found, &mut verified.differing, one);
                        }
                    }
                }
            }
        }
        drop(scratch);
        if !found.is_empty() {
            progress(Progress::Again);
            thread::sleep(self.wait);
            let confirmed = self.confirmed(&found)?;
            // Differences that were not kept cannot be looked at again.
            verified.differing -= (found.len() - confirmed.len()) as u64;
            let (events, now) = (self.events, self.now);
            let mut mender = Mender { answerer: self.answerer, partition: &self.partition, events, now };
            verified.differences = mender.mend(confirmed)?;
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
            let page = self.objects.objects(&query).map_err(|error| VerifyError::List { kind, error })?;
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

    /// Returns the account of an object of Stripe: the one that requested it, or the holder of the first of its claims.
    fn account_of(&mut self, theirs: &Theirs) -> Result<Option<Account>, VerifyError> {
        let space = self.partition.name();
        let marked = theirs.scope.as_deref().and_then(|scope| scope.strip_prefix(&space)?.strip_prefix('/'));
        if let Some(account) = marked.and_then(|name| name.parse().ok()) {
            return Ok(Some(account));
        }
        let keys: Vec<String> = theirs.keys.iter().map(|key| format!("{space}//{key}")).collect();
        let claims = self.answerer.read(|store| store.claims(&keys))?;
        Ok(claims.into_iter().find_map(|claim| claim?.holder))
    }

    /// Returns true for a transfer of an erased account: its effect is still recorded, without the id of the transfer.
    fn is_erased(&mut self, account: &Account, theirs: &Theirs) -> Result<bool, VerifyError> {
        let Some(key) = &theirs.effect else { return Ok(false) };
        let scope = self.partition.scope(account.clone());
        let rows = self.answerer.read(|store| store.effect(&scope, key))?;
        Ok(rows.iter().any(|row| row.erased && row.state == EffectState::Finished))
    }

    /// Returns the differences that are still there.
    fn confirmed(&mut self, found: &[Found]) -> Result<Vec<Found>, VerifyError> {
        let mut confirmed = Vec::new();
        for one in found {
            let within = one.related.first().map(String::as_str);
            let ours = self.our_side().again(&one.account, one.kind, &one.id, within)?;
            let theirs = self.fetch(one, ours.as_ref())?;
            confirmed.extend(match theirs {
                Fetched::Object(theirs) => difference_of(one.kind, one.account.clone(), ours.as_ref(), Some(&theirs)),
                Fetched::Nothing => difference_of(one.kind, one.account.clone(), ours.as_ref(), None),
                Fetched::NotCompared => None,
            });
        }
        Ok(confirmed)
    }

    /// Fetches an object from Stripe.
    fn fetch(&self, one: &Found, ours: Option<&Ours>) -> Result<Fetched, VerifyError> {
        let failed = |problem: String| VerifyError::Fetch { kind: one.kind, id: one.id.clone(), problem };
        let charge = match &one.what {
            What::OnlyTheirs(facts) => facts.get("charge").and_then(Value::as_str),
            What::Fields(fields) => fields.iter().find(|it| it.field == "charge").and_then(|it| it.theirs.as_str()),
            What::OnlyOurs(_) => None,
        };
        let id = match one.kind {
            Kind::Payment => charge.or(ours.and_then(|ours| ours.related.as_deref())).unwrap_or(&one.id),
            _ => &one.id,
        };
        let call = Call {
            kind: "stripe.retrieve".to_owned(),
            scope: format!("{}/{}", self.partition.name(), Account::Platform),
            key: format!("verify:{id}"),
            generation: 1,
            attempt: 1,
            lease: 1,
            payload: json!({"object": one.kind.listed().name(), "id": id}),
            secrets: self.registry.secret_access(),
            ..Call::default()
        };
        match self.registry.call(&call) {
            Reply::Answer(CallOutcome::Done(outputs)) => {
                let read = theirs::read(one.kind, &outputs["object"])?;
                Ok(read.map_or(Fetched::NotCompared, |theirs| Fetched::Object(Box::new(theirs))))
            }
            Reply::Answer(CallOutcome::Refused { code, .. }) if code == "resource_missing" => Ok(Fetched::Nothing),
            Reply::Answer(CallOutcome::Refused { code, message } | CallOutcome::Retry { code, message, .. }) => {
                Err(failed(format!("{code}: {message}")))
            }
            Reply::Answer(CallOutcome::InProgress { .. }) | Reply::Silence { .. } => {
                Err(failed("no answer".to_owned()))
            }
        }
    }
}

/// An object that was fetched again.
enum Fetched {
    Object(Box<Theirs>),
    /// Stripe has no such object.
    Nothing,
    /// It has moved no money, so a store need not have it.
    NotCompared,
}

fn keep(found: &mut Vec<Found>, differing: &mut u64, one: Option<Found>) {
    let Some(one) = one else { return };
    *differing += 1;
    if found.len() < DIFFERENCES_MAX {
        found.push(one);
    }
}

fn difference(account: Account, ours: Option<&Ours>, theirs: Option<&Theirs>) -> Option<Found> {
    difference_of(ours?.kind, account, ours, theirs)
}

/// Returns the difference between two sides; none if they agree.
fn difference_of(kind: Kind, account: Account, ours: Option<&Ours>, theirs: Option<&Theirs>) -> Option<Found> {
    let id = ours.map(|ours| &ours.id).or(theirs.map(|theirs| &theirs.id))?.clone();
    let what =
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let both = ours.facts.iter().filter_map(|(name, value)| Some((name, value, theirs.facts.get(name)?)));
                let fields = both.filter(|(_, ours, theirs)| ours != theirs).map(|(field, ours, theirs)| {
                    FieldDifference { field: field.clone(), ours: ours.clone(), theirs: theirs.clone() }
                });
                let fields: Vec<FieldDifference> = fields.collect();
                (!fields.is_empty()).then_some(What::Fields(fields))
            }
            (Some(ours), None) => ours.must_exist.then(|| What::OnlyOurs(ours.facts.clone())),
            (None, Some(theirs)) => Some(What::OnlyTheirs(theirs.facts.clone())),
            (None, None) => None,
        };
    let mut related: Vec<String> = ours.and_then(|ours| ours.related.clone()).into_iter().collect();
    related.extend(theirs.and_then(|theirs| theirs.facts.get("charge")?.as_str().map(str::to_owned)));
    Some(Found { kind, id, account, what: what?, related })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::facts;

    #[test]
    fn differences_are_kept_up_to_a_maximum_and_all_are_counted() {
        let (mut found, mut differing) = (Vec::new(), 0);
        let theirs = Theirs { id: "in_1".to_owned(), facts: Facts::new(), keys: Vec::new(), scope: None, effect: None };
        for _ in 0..DIFFERENCES_MAX + 7 {
            let one = difference_of(Kind::Invoice, Account::Platform, None, Some(&theirs));
            keep(&mut found, &mut differing, one);
        }
        assert_eq!((found.len(), differing), (DIFFERENCES_MAX, DIFFERENCES_MAX as u64 + 7));
    }

    #[test]
    fn only_fields_of_both_sides_are_compared() {
        let ours = Ours {
            kind: Kind::Invoice,
            id: "in_1".to_owned(),
            facts: facts([("total", json!(5)), ("status", json!("open")), ("number", json!("A-1"))]),
            related: None,
            must_exist: true,
        };
        let theirs = |status: &str| Theirs {
            id: "in_1".to_owned(),
            facts: facts([("total", json!(5)), ("status", json!(status)), ("tax", json!(1))]),
            keys: Vec::new(),
            scope: None,
            effect: None,
        };
        assert_eq!(difference(Account::Platform, Some(&ours), Some(&theirs("open"))), None);
        let found = difference(Account::Platform, Some(&ours), Some(&theirs("paid"))).expect("a difference");
        let field = FieldDifference { field: "status".to_owned(), ours: json!("open"), theirs: json!("paid") };
        assert_eq!(found.what, What::Fields(vec![field]));
        let draft = Ours { must_exist: false, ..ours };
        assert_eq!(difference(Account::Platform, Some(&draft), None), None, "Stripe need not have it");
    }
}
