//! The account as a value: its rows, typed, and all that a decision makes of them.
//!
//! `open` brings the rows that matter; what is missing is read when it is needed, once. Nothing is written before the
//! decision is whole: it leaves as one [`Decision`], or not at all.

use super::halt::{Ruled, internal};
use super::keys::ClaimKey;
use super::ledger;
use super::notice;
use super::reader::Reader;
use super::records::balances::Balances;
use super::records::campaign::{Campaign, Member, Membership};
use super::records::closed::Closed;
use super::records::comparison::Comparison;
use super::records::counter::Counter;
use super::records::customer::{Customer, CustomerRequest};
use super::records::dispute::Dispute;
use super::records::earned::Earned;
use super::records::earning::Earning;
use super::records::instance::InstanceRecord;
use super::records::invoice::Invoice;
use super::records::item::Item;
use super::records::listing::ListingRow;
use super::records::lot::Lot;
use super::records::payment::Payment;
use super::records::payouts::Payouts;
use super::records::product::ProductRow;
use super::records::purchase::PurchaseRow;
use super::records::returned::Returned;
use super::records::sale::Sale;
use super::records::schedule::OpenSchedule;
use super::records::session::Session;
use super::records::subscription::SubscriptionRow;
use super::records::subscription_history::BillingHistory;
use super::records::subscription_schedule::SubscriptionSchedule;
use super::records::summary::Summary;
use super::records::token::{Access, Token};
use super::records::usage::{UsageDay, UsageMonth};
use super::records::{ACCOUNT, record_key};
use super::table::{Record, Table, typed};
use extension_contract::*;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A kind of rows that an account has a table for.
pub(crate) trait Tabled: Record {
    /// Its table.
    fn table(tables: &mut Tables) -> &mut Table;
}

/// Give each kind of rows its table.
macro_rules! tables {
    ($($field:ident: $record:ty),* $(,)?) => {
        /// Rows by kind.
        pub(crate) struct Tables {
            $($field: Table,)*
        }

        impl Default for Tables {
            fn default() -> Self {
                Tables { $($field: Table::of::<$record>(),)* }
            }
        }

        $(impl Tabled for $record {
            fn table(tables: &mut Tables) -> &mut Table {
                &mut tables.$field
            }
        })*

        impl Tables {
            fn all(&self) -> impl Iterator<Item = &Table> {
                [$(&self.$field),*].into_iter()
            }

            fn all_mut(&mut self) -> impl Iterator<Item = &mut Table> {
                [$(&mut self.$field),*].into_iter()
            }
        }
    };
}

tables! {
    products: ProductRow,
    purchases: PurchaseRow,
    subscriptions: SubscriptionRow,
    billing: BillingHistory,
    invoices: Invoice,
    sessions: Session,
    payments: Payment,
    disputes: Dispute,
    customers: Customer,
    instances: InstanceRecord,
    schedules: OpenSchedule,
    subscription_schedules: SubscriptionSchedule,
    summaries: Summary,
    balances: Balances,
    counters: Counter,
    items: Item,
    lots: Lot,
    returned: Returned,
    sales: Sale,
    earned: Earned,
    earnings: Earning,
    listings: ListingRow,
    payouts: Payouts,
    campaigns: Campaign,
    members: Member,
    memberships: Membership,
    comparisons: Comparison,
    closed: Closed,
    customer_request: CustomerRequest,
    tokens: Token,
    accesses: Access,
    usage_days: UsageDay,
    usage_months: UsageMonth,
    entries: ledger::Entry,
}

impl Tables {
    /// Take in a row that was read, or that there is none.
    fn hold(&mut self, key: &RowKey, row: Option<StoredRow>) {
        let (table, id) = match key {
            RowKey::Product(id) => (&mut self.products, id),
            RowKey::Purchase(id) => (&mut self.purchases, id),
            RowKey::Subscription(id) => (&mut self.subscriptions, id),
            RowKey::Price(_) => return,
            RowKey::Record(RecordKey { collection, id }) => match collection.as_str() {
                BillingHistory::COLLECTION => (&mut self.billing, id),
                Invoice::COLLECTION => (&mut self.invoices, id),
                Session::COLLECTION => (&mut self.sessions, id),
                Item::COLLECTION => (&mut self.items, id),
                Lot::COLLECTION => (&mut self.lots, id),
                Returned::COLLECTION => (&mut self.returned, id),
                Sale::COLLECTION => (&mut self.sales, id),
                Earned::COLLECTION => (&mut self.earned, id),
                Earning::COLLECTION => (&mut self.earnings, id),
                ListingRow::COLLECTION => (&mut self.listings, id),
                Campaign::COLLECTION => (&mut self.campaigns, id),
                Member::COLLECTION => (&mut self.members, id),
                Token::COLLECTION => (&mut self.tokens, id),
                Access::COLLECTION => (&mut self.accesses, id),
                Payment::COLLECTION => (&mut self.payments, id),
                Dispute::COLLECTION => (&mut self.disputes, id),
                Counter::COLLECTION => (&mut self.counters, id),
                Customer::COLLECTION => (&mut self.customers, id),
                SubscriptionSchedule::COLLECTION => (&mut self.subscription_schedules, id),
                UsageDay::COLLECTION => (&mut self.usage_days, id),
                UsageMonth::COLLECTION => (&mut self.usage_months, id),
                InstanceRecord::COLLECTION => (&mut self.instances, id),
                ledger::Entry::COLLECTION => (&mut self.entries, id),
                _ if id == OpenSchedule::ID => (&mut self.schedules, id),
                _ if id == Summary::ID => (&mut self.summaries, id),
                _ if id == Closed::ID => (&mut self.closed, id),
                _ if id == CustomerRequest::ID => (&mut self.customer_request, id),
                _ if id == Comparison::ID => (&mut self.comparisons, id),
                _ if id == Membership::ID => (&mut self.memberships, id),
                _ if id == Payouts::ID => (&mut self.payouts, id),
                _ if id == Balances::ID => (&mut self.balances, id),
                _ => return,
            },
        };
        table.hold(id, row);
    }
}

/// An account while an event is decided.
pub(crate) struct Account<'h> {
    reader: Rc<Reader<'h>>,
    /// None while it is not known whose event it is.
    owner: Option<extension_contract::Account>,
    tables: Tables,
    prices: BTreeMap<String, Price>,
    /// Facts by whether they were noted before this event.
    known: BTreeMap<String, bool>,
    facts: Vec<String>,
    claims: Vec<ClaimChange>,
    effects: Vec<Effect>,
    cancel: Vec<String>,
}

impl<'h> Account<'h> {
    /// An account without any rows yet; without an owner, nobody's.
    pub fn new(reader: Rc<Reader<'h>>, owner: Option<extension_contract::Account>) -> Self {
        Account {
            reader,
            owner,
            tables: Tables::default(),
            prices: BTreeMap::new(),
            known: BTreeMap::new(),
            facts: Vec::new(),
            claims: Vec::new(),
            effects: Vec::new(),
            cancel: Vec::new(),
        }
    }

    /// Take in what `open` gave. A row that was named and did not come does not exist.
    pub fn take_in(&mut self, rows: Vec<StoredRow>, named: &[Reference], facts: &[(String, bool)]) -> Ruled<()> {
        for stored in rows {
            self.take_in_row(stored)?;
        }
        let named_rows = named.iter().filter_map(|name| match name {
            Reference::Row(key) => Some(key),
            Reference::Catalog(_) | Reference::Name(_) => None,
        });
        // The host follows at most so many references; what is named beyond may be there.
        for key in named_rows.take(REFERENCES_MAX) {
            self.tables.hold(key, None);
        }
        // Rows that an account has one of are live, so that they came or do not exist.
        let ids = [
            OpenSchedule::ID,
            Summary::ID,
            Balances::ID,
            Membership::ID,
            Comparison::ID,
            Closed::ID,
            CustomerRequest::ID,
        ];
        for id in ids {
            self.tables.hold(&record_key(ACCOUNT, id), None);
        }
        self.known.extend(facts.iter().cloned());
        Ok(())
    }

    fn take_in_row(&mut self, stored: StoredRow) -> Ruled<()> {
        let key = stored.row.key();
        // No version before this one was released, so none is read.
        if stored.data_version != crate::DATA_VERSION {
            let (written, reads) = (stored.data_version, crate::DATA_VERSION);
            return Err(internal(format!("{key} was written as data version {written}, this component reads {reads}")));
        }
        self.tables.hold(&key, Some(stored));
        Ok(())
    }

    /// The account; none while it is not known whose event it is.
    pub fn owner(&self) -> Option<&extension_contract::Account> {
        self.owner.as_ref()
    }

    /// The account; an event that names nobody can't be decided any further.
    pub fn owned(&self) -> Ruled<extension_contract::Account> {
        self.owner.clone().ok_or_else(|| Refusal::Malformed("/data/object/id".to_owned()).into())
    }

    /// True for the account that owns the catalog.
    pub fn is_platform(&self) -> bool {
        self.owner == Some(extension_contract::Account::Platform)
    }

    /// Read rows of this account that are not here yet.
    pub fn load<T: Tabled>(&mut self, ids: &[String]) -> Ruled<()> {
        if self.owner.is_none() {
            return Ok(());
        }
        let table = T::table(&mut self.tables);
        let missing = table.missing(ids);
        self.load_missing(missing)
    }

    /// Read rows of any kind. In one place for all kinds: the component's size counts.
    #[inline(never)]
    fn load_missing(&mut self, missing: Vec<RowKey>) -> Ruled<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let rows = self.reader.load(&missing)?;
        for (key, row) in missing.iter().zip(rows) {
            match row {
                Some(stored) if stored.row.key() != *key => {
                    return Err(internal(format!("{key} was answered by {}", stored.row.key())));
                }
                Some(stored) => self.take_in_row(stored)?,
                None => self.tables.hold(key, None),
            }
        }
        Ok(())
    }

    /// A row by its id.
    pub fn get<T: Tabled>(&mut self, id: &str) -> Ruled<Option<Rc<T>>> {
        if self.owner.is_some() && !T::table(&mut self.tables).knows(id) {
            self.load_missing(vec![T::key(id)])?;
        }
        self.get_here(id)
    }

    /// A row that is here already: for rows that are live while what leads to them is.
    pub fn get_here<T: Tabled>(&mut self, id: &str) -> Ruled<Option<Rc<T>>> {
        T::table(&mut self.tables).get(id)?.map(typed).transpose()
    }

    /// A row by its id, to be changed and put back.
    pub fn fetch<T: Tabled>(&mut self, id: &str) -> Ruled<Option<T>> {
        Ok(self.get::<T>(id)?.map(|row| T::clone(&row)))
    }

    /// Whether a row was ever written under this id, a deleted one too.
    pub fn is_stored<T: Tabled>(&mut self, id: &str) -> Ruled<bool> {
        self.load::<T>(std::slice::from_ref(&id.to_owned()))?;
        Ok(T::table(&mut self.tables).is_stored(id))
    }

    /// Write a row, whose version must be known.
    pub fn put<T: Tabled>(&mut self, id: &str, value: T) {
        self.put_shared(id, Rc::new(value));
    }

    /// The same for a row that may be what was read, unchanged.
    pub fn put_shared<T: Tabled>(&mut self, id: &str, value: Rc<T>) {
        T::table(&mut self.tables).put(id, value);
    }

    /// Remove a row that was read.
    pub fn remove<T: Tabled>(&mut self, id: &str) {
        T::table(&mut self.tables).remove(id);
    }

    /// Ids of the rows of a kind that this decision wrote.
    pub fn touched<T: Tabled>(&mut self) -> Vec<String> {
        T::table(&mut self.tables).touched()
    }

    /// Rows of a kind that are here, with their ids: the live ones, and those that the event led to.
    pub fn all<T: Tabled>(&mut self) -> Ruled<Vec<(String, Rc<T>)>> {
        let rows = T::table(&mut self.tables).all()?;
        let mut out = Vec::with_capacity(rows.len());
        for (id, row) in rows {
            out.push((id, typed(row)?));
        }
        Ok(out)
    }

    /// Read a page of rows beyond those that are here; their ids.
    pub fn more(&mut self, selection: &Selection, limit: u32) -> Ruled<Vec<String>> {
        let rows = self.reader.more(selection, limit)?;
        let mut ids = Vec::with_capacity(rows.len());
        for stored in rows {
            ids.push(stored.row.id().to_owned());
            self.take_in_row(stored)?;
        }
        Ok(ids)
    }

    /// Read a page of the rows of a kind, in order of their ids, after one; their ids.
    pub fn page(&mut self, kind: RowKind, after: Option<String>, limit: u32) -> Ruled<Vec<String>> {
        self.more(&Selection::Listed(Listing { kind, prefix: String::new(), descending: false, after }), limit)
    }

    /// Read every row of a kind.
    pub fn load_whole(&mut self, kind: &RowKind) -> Ruled<()> {
        let mut after: Option<String> = None;
        loop {
            let ids = self.page(kind.clone(), after, PAGE_ROWS_MAX)?;
            if ids.len() < PAGE_ROWS_MAX as usize {
                return Ok(());
            }
            after = ids.into_iter().next_back();
        }
    }

    /// Write a price of the catalog.
    pub fn put_price(&mut self, price: Price) -> Ruled<()> {
        if !self.is_platform() {
            return Err(internal(format!("price `{}` belongs to the catalog", price.id)));
        }
        self.prices.insert(price.id.clone(), price);
        Ok(())
    }

    /// Whether a fact is noted, by this event or an earlier one.
    pub fn is_known(&mut self, fact: &str) -> Ruled<bool> {
        if self.facts.iter().any(|noted| noted == fact) {
            return Ok(true);
        }
        if let Some(known) = self.known.get(fact) {
            return Ok(*known);
        }
        let known = self.reader.known(&[fact.to_owned()])?.first().copied().unwrap_or(false);
        self.known.insert(fact.to_owned(), known);
        Ok(known)
    }

    /// Note a fact; true if it is new.
    pub fn record_fact(&mut self, fact: &str) -> Ruled<bool> {
        let new = !self.is_known(fact)?;
        if new {
            self.facts.push(fact.to_owned());
        }
        Ok(new)
    }

    /// Note a fact that is new by what a row says.
    pub fn record_new_fact(&mut self, fact: String) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    /// Take claims that only this account may hold; a taken one contradicts the event's placing.
    pub fn claim<'k>(&mut self, keys: impl IntoIterator<Item = ClaimKey<'k>>) -> Ruled<()> {
        let keys: Vec<String> = keys.into_iter().map(String::from).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let states = self.reader.claims_take(&keys)?;
        for (key, state) in keys.into_iter().zip(states) {
            match state {
                ClaimState::Mine => {}
                ClaimState::Free => self.claims.push(ClaimChange::Take { key, until: None }),
                ClaimState::Taken | ClaimState::Blocked => return Err(Refusal::Inconsistent(key).into()),
            }
        }
        Ok(())
    }

    /// Take claims that nobody holds, this account neither: all of them, or none. The first that is not free, if one is.
    pub fn claim_free(&mut self, keys: &[String]) -> Ruled<Option<String>> {
        if keys.is_empty() {
            return Ok(None);
        }
        let states = self.reader.claims_take(keys)?;
        let held = keys.iter().zip(states).find(|(_, state)| *state != ClaimState::Free).map(|(key, _)| key.clone());
        if held.is_none() {
            self.claims.extend(keys.iter().map(|key| ClaimChange::Take { key: key.clone(), until: None }));
        }
        Ok(held)
    }

    /// Take one of several claims that nobody holds; none if there is none.
    pub fn claim_one_of(&mut self, keys: &[String]) -> Ruled<Option<String>> {
        let states = self.reader.claims_take(keys)?;
        let is_taken = |key: &String| {
            self.claims.iter().any(|change| matches!(change, ClaimChange::Take { key: taken, .. } if taken == key))
        };
        let free = keys.iter().zip(states).find(|(key, state)| *state == ClaimState::Free && !is_taken(key));
        let free = free.map(|(key, _)| key.clone());
        self.claims.extend(free.iter().map(|key| ClaimChange::Take { key: key.clone(), until: None }));
        Ok(free)
    }

    /// Give claims back, and let nobody take them before a time.
    pub fn release_claims(&mut self, keys: Vec<String>, blocked_until: Option<Timestamp>) {
        self.claims.extend(keys.into_iter().map(|key| ClaimChange::Release { key, blocked_until }));
    }

    /// Claims that this account holds and that begin with a prefix.
    pub fn claims_mine(&mut self, prefix: &str) -> Ruled<Vec<String>> {
        Ok(self.reader.claims_mine(prefix)?)
    }

    /// Ask the world for something.
    pub fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Whether an effect is among those that this decision asks for.
    pub fn asks_for(&self, key: &str) -> bool {
        self.effects.iter().any(|effect| effect.key == key)
    }

    /// Call an effect off. True if it had not begun, so that it never will.
    pub fn call_off_in_time(&mut self, key: String) -> Ruled<bool> {
        let begun = self.reader.begun(std::slice::from_ref(&key))?.contains(&true);
        self.call_off(vec![key]);
        Ok(!begun)
    }

    /// Call effects off by their keys, if they have not begun.
    pub fn call_off(&mut self, keys: Vec<String>) {
        self.effects.retain(|effect| !keys.contains(&effect.key));
        self.cancel.extend(keys);
    }

    /// Whether anything was written or asked for.
    pub fn is_changed(&self) -> Ruled<bool> {
        Ok(!self.effects.is_empty()
            || !self.facts.is_empty()
            || !self.claims.is_empty()
            || !self.prices.is_empty()
            || !self.row_changes()?.is_empty())
    }

    /// What differs from what is stored, of rows of every kind.
    fn row_changes(&self) -> Fallible<Vec<Change>> {
        let mut out = Vec::new();
        self.tables.all().try_for_each(|table| table.changes(&mut out))?;
        Ok(out)
    }

    /// Whether a rule wrote or asked for anything, be it what is there already.
    pub fn is_touched(&self) -> bool {
        !self.effects.is_empty()
            || !self.facts.is_empty()
            || !self.claims.is_empty()
            || !self.cancel.is_empty()
            || self.tables.all().any(Table::is_touched)
    }

    /// Send none of the mails of now that are not for the operators: what they tell of counts as told.
    pub fn hold_back_mails(&mut self) {
        self.effects.retain(|effect| !notice::is_immediate(effect) || notice::is_for_operators(effect));
    }

    /// Forget all that was written and asked for, apart from mails and the audit trail: a refusal may be told.
    pub fn keep_what_is_told(&mut self) {
        self.effects.retain(notice::is_immediate);
        let mails: Vec<&str> = self.effects.iter().map(|mail| mail.key.as_str()).collect();
        self.facts.retain(|fact| mails.contains(&fact.as_str()));
        let accesses = std::mem::replace(&mut self.tables.accesses, Table::of::<Access>());
        self.tables.all_mut().for_each(Table::take_back);
        self.tables.accesses = accesses;
        self.prices.clear();
        self.claims.clear();
        self.cancel.clear();
    }

    /// All that was written and asked for, as a decision.
    pub fn into_decision(self, outcome: Outcome, reply: Option<Reply>) -> Fallible<Decision> {
        let mut changes = self.row_changes()?;
        for (id, price) in self.prices {
            changes.push(Change {
                key: RowKey::Price(id),
                expected: 0,
                write: Write::Price(price),
                live: false,
                references: Vec::new(),
                fingerprint: None,
            });
        }
        // What is refused or put off holds no name.
        let holds = !matches!(outcome, Outcome::Rejected(_) | Outcome::Deferred(_));
        let claims = if holds { self.claims } else { Vec::new() };
        Ok(Decision { outcome, reply, changes, facts: self.facts, claims, effects: self.effects, cancel: self.cancel })
    }
}
