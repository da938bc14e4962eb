//! Collects the objects that Stripe has for one account: those of its customers, the refunds of its payments, the
//! transfers to its connected accounts, and other objects to which its records refer.

use crate::error::VerifyError;
use crate::facts::Kind;
use crate::records::AccountRecords;
use crate::stripe::{Fetched, StripeAccess};
use crate::theirs::{self, Theirs};
use host_provider_api::{ObjectQuery, ObjectsOf};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of objects in a list. Such an account takes five requests for each of its lists.
const OBJECTS_MAX: usize = 500;
/// Maximum number of customers, and of connected accounts, whose objects are listed. Most accounts have one.
const HOLDERS_MAX: usize = 10;
/// Maximum number of payments whose refunds are listed, at one request each.
const REFUNDED_MAX: usize = 50;
/// Maximum number of recorded objects that are in no list and are fetched one by one, at one request each.
const FETCHED_MAX: usize = 50;

/// Objects by kind and id.
type Objects = BTreeMap<(Kind, String), Theirs>;

/// Stripe's objects of an account.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) theirs: Objects,
    /// Recorded objects whose other side was not read, or does not have to match the record.
    pub(crate) not_compared: BTreeSet<(Kind, String)>,
    /// False if the account has more objects than are read.
    pub(crate) is_complete: bool,
}

/// Reads Stripe's objects for an account.
pub(crate) fn gather(records: &AccountRecords, stripe: &StripeAccess) -> Result<Gathered, VerifyError> {
    let gathered = Gathered { theirs: Objects::new(), not_compared: BTreeSet::new(), is_complete: true };
    let mut gatherer = Gatherer { records, stripe, fetched: 0, gathered };
    // The refunds come after the payments, which show which ones have any.
    for kind in Kind::ALL {
        gatherer.list(kind)?;
        gatherer.fetch_unlisted(kind)?;
    }
    Ok(gatherer.gathered)
}

struct Gatherer<'a> {
    records: &'a AccountRecords,
    stripe: &'a StripeAccess,
    /// Number of objects that were fetched one by one.
    fetched: usize,
    gathered: Gathered,
}

impl Gatherer<'_> {
    /// Reads the lists of a kind.
    fn list(&mut self, kind: Kind) -> Result<(), VerifyError> {
        let (holders, max) = self.holders(kind);
        self.gathered.is_complete &= holders.len() <= max;
        for of in holders.into_iter().take(max) {
            let query = ObjectQuery::first(self.records.partition.livemode, kind.listed(), of);
            let listed = self.stripe.objects.all_objects(&query, OBJECTS_MAX);
            let (objects, is_whole) = listed.map_err(|error| VerifyError::List { kind, error })?;
            self.gathered.is_complete &= is_whole;
            for object in &objects {
                let read = theirs::read(kind, object)?;
                self.gathered.theirs.extend(read.map(|theirs| ((kind, theirs.id.clone()), theirs)));
            }
        }
        Ok(())
    }

    /// Returns the owners whose objects of a kind are listed, and their maximum number.
    fn holders(&self, kind: Kind) -> (Vec<ObjectsOf>, usize) {
        let AccountRecords { customers, connected, .. } = self.records;
        match kind {
            Kind::Subscription | Kind::Invoice | Kind::Payment => {
                (customers.iter().cloned().map(ObjectsOf::Customer).collect(), HOLDERS_MAX)
            }
            Kind::Refund => (self.refunded().into_iter().map(ObjectsOf::Charge).collect(), REFUNDED_MAX),
            Kind::Transfer => (connected.iter().cloned().map(ObjectsOf::Destination).collect(), HOLDERS_MAX),
        }
    }

    /// Returns the charges of the payments that have refunds, at Stripe or in the records.
    fn refunded(&self) -> Vec<String> {
        let refunds = self.records.ours.iter().filter(|ours| ours.kind == Kind::Refund);
        let recorded: BTreeSet<&str> = refunds.filter_map(|refund| refund.related.as_deref()).collect();
        let payments = self.gathered.theirs.values().filter(|theirs| theirs.facts.contains_key("amount_refunded"));
        let refunded = payments.filter(|payment| {
            payment.facts["amount_refunded"].as_i64().unwrap_or(0) > 0 || recorded.contains(payment.id.as_str())
        });
        refunded.filter_map(|payment| payment.facts.get("charge").and_then(Value::as_str)).map(str::to_owned).collect()
    }

    /// Fetches the recorded objects of a kind that are in no list, for example the payment of a guest, who is not a
    /// customer.
    fn fetch_unlisted(&mut self, kind: Kind) -> Result<(), VerifyError> {
        for ours in self.records.ours.iter().filter(|ours| ours.kind == kind && ours.must_exist) {
            let key = (kind, ours.id.clone());
            if self.gathered.theirs.contains_key(&key) {
                continue;
            }
            if self.fetched == FETCHED_MAX {
                self.gathered.is_complete = false;
                self.gathered.not_compared.insert(key);
                continue;
            }
            self.fetched += 1;
            match self.stripe.fetch(&self.records.partition, kind, ours.id_at_stripe())? {
                Fetched::Object(theirs) => _ = self.gathered.theirs.insert(key, *theirs),
                Fetched::Nothing => {}
                Fetched::NotCompared => _ = self.gathered.not_compared.insert(key),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::ours::Ours;
    use extension_contract::Account;
    use host_provider_api::scripted::{Scripted, ScriptedAnswer};
    use host_provider_api::{
        EventList, EventQuery, ListedEvents, ObjectKind, ObjectList, ObjectListError, ObjectPage, Registry,
    };
    use host_store::Partition;
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    /// Lists some objects of each kind, and records whose objects were requested.
    #[derive(Default)]
    struct Lists {
        objects: BTreeMap<ObjectKind, Vec<Value>>,
        has_more: bool,
        asked: Mutex<Vec<(ObjectKind, ObjectsOf)>>,
    }

    impl ObjectList for Lists {
        fn objects(&self, query: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
            self.asked.lock().expect("no panic").push((query.kind, query.of.clone()));
            let objects = self.objects.get(&query.kind).cloned().unwrap_or_default();
            let next = (self.has_more && !objects.is_empty()).then(|| "in_1".to_owned());
            Ok(ObjectPage { objects, next })
        }
    }

    impl EventList for Lists {
        fn events(&self, _: &EventQuery<'_>) -> Result<ListedEvents, String> {
            Ok(ListedEvents::default())
        }
    }

    /// Reads the lists. A fetched object has the given value.
    fn access(lists: &Arc<Lists>, fetched: &Value) -> StripeAccess {
        let scripted = Scripted::new();
        scripted.script("*", vec![ScriptedAnswer::Ok(json!({"object": fetched}))]);
        let registry = Registry::with_default(Arc::new(scripted));
        StripeAccess { objects: lists.clone(), events: lists.clone(), registry }
    }

    fn records(customers: usize, ours: Vec<Ours>) -> AccountRecords {
        AccountRecords {
            partition: Partition { business: "shop".to_owned(), livemode: false },
            account: Account::User("ada".to_owned()),
            now: 0,
            customers: (0..customers).map(|number| format!("cus_{number}")).collect(),
            connected: Vec::new(),
            ours,
        }
    }

    fn ours(kind: Kind, id: &str, related: Option<&str>) -> Ours {
        let related = related.map(str::to_owned);
        Ours { kind, id: id.to_owned(), facts: Facts::new(), related, must_exist: true }
    }

    #[test]
    fn the_refunds_of_a_payment_are_listed_if_one_side_has_some() {
        let charge = |number: u32, refunded: u32| {
            let (id, intent) = (format!("ch_{number}"), format!("pi_{number}"));
            json!({"id": id, "payment_intent": intent, "status": "succeeded", "amount_refunded": refunded})
        };
        let charges = vec![charge(1, 0), charge(2, 5), charge(3, 0)];
        let lists = Arc::new(Lists { objects: [(ObjectKind::Charge, charges)].into(), ..Lists::default() });
        // A failed refund is not part of the refunded amount.
        let records = records(1, vec![ours(Kind::Refund, "re_1", Some("pi_3"))]);
        gather(&records, &access(&lists, &json!({"id": "re_1", "status": "failed"}))).expect("read");
        let asked = lists.asked.lock().expect("no panic");
        let of = |kind: ObjectKind| asked.iter().filter(move |it| it.0 == kind).map(|it| it.1.clone());
        let expected = ["ch_2", "ch_3"].map(|id| ObjectsOf::Charge(id.to_owned()));
        assert_eq!(of(ObjectKind::Refund).collect::<Vec<_>>(), expected);
        assert_eq!(of(ObjectKind::Transfer).count(), 0, "without a connected account");
    }

    #[test]
    fn records_that_no_list_has_are_fetched_up_to_a_maximum_and_the_others_are_not_compared() {
        let lists = Arc::new(Lists::default());
        let invoices = (0..FETCHED_MAX + 2).map(|number| ours(Kind::Invoice, &format!("in_{number:02}"), None));
        let draft = Ours { must_exist: false, ..ours(Kind::Invoice, "in_draft", None) };
        let mut records = records(1, std::iter::once(draft).chain(invoices).collect());
        let found = gather(&records, &access(&lists, &json!({"id": "in_x"}))).expect("read");
        assert_eq!((found.theirs.len(), found.not_compared.len(), found.is_complete), (FETCHED_MAX, 2, false));
        records.ours.truncate(FETCHED_MAX + 1);
        let found = gather(&records, &access(&lists, &json!({"id": "in_x"}))).expect("read");
        assert_eq!((found.theirs.len(), found.not_compared.len(), found.is_complete), (FETCHED_MAX, 0, true));
    }

    #[test]
    fn a_charge_that_moved_no_money_is_not_compared_with_its_record() {
        let records = records(0, vec![ours(Kind::Payment, "pi_1", Some("ch_1"))]);
        let failed = json!({"id": "ch_1", "status": "failed"});
        let found = gather(&records, &access(&Arc::default(), &failed)).expect("read");
        assert_eq!((found.theirs.len(), found.is_complete), (0, true));
        assert!(found.not_compared.contains(&(Kind::Payment, "pi_1".to_owned())));
    }

    #[test]
    fn an_account_with_too_many_objects_or_customers_is_not_complete() {
        let invoices: Vec<Value> = (0..OBJECTS_MAX).map(|number| json!({"id": format!("in_{number}")})).collect();
        for (customers, has_more, is_complete) in
            [(HOLDERS_MAX, false, true), (HOLDERS_MAX + 1, false, false), (1, true, false)]
        {
            let objects = [(ObjectKind::Invoice, invoices.clone())].into();
            let lists = Arc::new(Lists { objects, has_more, ..Lists::default() });
            let found = gather(&records(customers, Vec::new()), &access(&lists, &Value::Null)).expect("read");
            assert_eq!((found.theirs.len(), found.is_complete), (OBJECTS_MAX, is_complete), "{customers} {has_more}");
        }
    }
}
