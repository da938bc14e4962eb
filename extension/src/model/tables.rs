//! The tables of an account's rows. A kind of rows is one entry below: the table, its lookup, the collections of the manifest and the
//! rows that are always live come from it.

use super::records::campaign::{Campaign, Member, Membership};
use super::records::cap::Cap;
use super::records::closed::Closed;
use super::records::comparison::Comparison;
use super::records::counter::Counter;
use super::records::customer::{Customer, CustomerRequest};
use super::records::dispute::Dispute;
use super::records::earning::{Earned, Earning};
use super::records::instance::InstanceRecord;
use super::records::invoice::Invoice;
use super::records::item::Item;
use super::records::ledger::{Balances, Entry};
use super::records::listing::ListingRow;
use super::records::loaded_catalog::LoadedCatalog;
use super::records::lot::Lot;
use super::records::meter_day::MeterDay;
use super::records::operator_grants::OperatorGrants;
use super::records::payment::Payment;
use super::records::payouts::Payouts;
use super::records::product::ProductRow;
use super::records::purchase::PurchaseRow;
use super::records::requests::Requests;
use super::records::sale::{Returned, Sale};
use super::records::schedule::OpenSchedule;
use super::records::session::Session;
use super::records::sign_up_trial::SignUpTrialRow;
use super::records::subscription::SubscriptionRow;
use super::records::subscription_history::BillingHistory;
use super::records::subscription_schedule::SubscriptionSchedule;
use super::records::summary::Summary;
use super::records::token::{Access, Token};
use super::records::top_up::TopUp;
use super::records::usage::{UsageDay, UsageMonth};
use super::records::usage_request::UsageRequest;
use super::records::usage_sync::UsageSync;
use super::records::{ACCOUNT, record_key};
use super::table::{AnyTable, Record, Table};
use extension_contract::{RecordKey, Row, RowKey, StoredRow};

/// A type of rows with a table in [`Tables`].
pub(crate) trait HasTable: Record {
    /// Returns the table of this row kind.
    fn table(tables: &mut Tables) -> &mut Table<Self>;
}

/// Declares one table for each kind of rows.
macro_rules! tables {
    (
        rows: {$($row:ident: $row_type:ty = $kind:ident,)*}
        records: {$($record:ident: $record_type:ty,)*}
        singletons: {$($single:ident: $single_type:ty,)*}
        settled_singletons: {$($settled:ident: $settled_type:ty,)*}
    ) => {
        /// The tables of all kinds of rows.
        #[derive(Default)]
        pub(crate) struct Tables {
            $($row: Table<$row_type>,)*
            $($record: Table<$record_type>,)*
            $($single: Table<$single_type>,)*
            $($settled: Table<$settled_type>,)*
        }

        tables!(@each $($row: $row_type,)* $($record: $record_type,)* $($single: $single_type,)* $($settled: $settled_type,)*);

        /// Collections of `records`.
        pub(crate) const COLLECTIONS: &[&str] = &[$(<$record_type>::COLLECTION,)* ACCOUNT];

        /// Ids of the singleton rows that are always live.
        const ALWAYS_LIVE: &[&str] = &[$(<$single_type>::ID),*];

        impl Tables {
            /// Returns the table of a row; `None` if no table has its kind.
            fn of(&mut self, key: &RowKey) -> Option<&mut dyn AnyTable> {
                let RecordKey { collection, id } = match key {
                    $(RowKey::$kind(_) => return Some(&mut self.$row),)*
                    RowKey::Price(_) => return None,
                    RowKey::Record(key) => key,
                };
                match (collection.as_str(), id.as_str()) {
                    $((<$record_type>::COLLECTION, _) => Some(&mut self.$record),)*
                    $((ACCOUNT, <$single_type>::ID) => Some(&mut self.$single),)*
                    $((ACCOUNT, <$settled_type>::ID) => Some(&mut self.$settled),)*
                    _ => None,
                }
            }
        }
    };
    (@each $($field:ident: $type:ty,)*) => {
        $(impl HasTable for $type {
            fn table(tables: &mut Tables) -> &mut Table<$type> {
                &mut tables.$field
            }
        })*

        impl Tables {
            /// Returns all tables.
            pub(super) fn all(&self) -> impl Iterator<Item = &dyn AnyTable> {
                [$(&self.$field as &dyn AnyTable),*].into_iter()
            }

            /// Returns all tables, to change them.
            pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut dyn AnyTable> {
                [$(&mut self.$field as &mut dyn AnyTable),*].into_iter()
            }
        }
    };
}

tables! {
    // The kinds of the contract.
    rows: {
        products: ProductRow = Product,
        purchases: PurchaseRow = Purchase,
        subscriptions: SubscriptionRow = Subscription,
    }
    // A collection of records each.
    records: {
        billing: BillingHistory,
        invoices: Invoice,
        sessions: Session,
        payments: Payment,
        disputes: Dispute,
        customers: Customer,
        instances: InstanceRecord,
        subscription_schedules: SubscriptionSchedule,
        counters: Counter,
        items: Item,
        lots: Lot,
        returned: Returned,
        sales: Sale,
        earned: Earned,
        earnings: Earning,
        listings: ListingRow,
        campaigns: Campaign,
        members: Member,
        tokens: Token,
        accesses: Access,
        usage_days: UsageDay,
        usage_months: UsageMonth,
        usage_requests: UsageRequest,
        meter_days: MeterDay,
        entries: Entry,
    }
    // One row of an account each, in the collection `account`. It is always live, so a row that was not returned does not exist.
    singletons: {
        schedules: OpenSchedule,
        summaries: Summary,
        balances: Balances,
        memberships: Membership,
        comparisons: Comparison,
        closed: Closed,
        customer_request: CustomerRequest,
        requests: Requests,
        usage_sync: UsageSync,
        cap: Cap,
        operator_grants: OperatorGrants,
        top_up: TopUp,
        sign_up_trial: SignUpTrialRow,
    }
    // One row of an account each, which is read by its key.
    settled_singletons: {
        payouts: Payouts,
        loaded_catalogs: LoadedCatalog,
    }
}

impl Tables {
    /// Stores a row that was read.
    pub(super) fn insert_read(&mut self, stored: StoredRow) {
        if matches!(stored.row, Row::Price(_)) {
            return;
        }
        if let Some(table) = self.of(&stored.row.key()) {
            table.insert_read(stored);
        }
    }

    /// Stores that a row does not exist, unless it was read.
    pub(super) fn insert_missing(&mut self, key: &RowKey) {
        if let Some(table) = self.of(key) {
            table.insert_missing(key.id());
        }
    }

    /// Stores that the rows that are always live do not exist, unless they were read.
    pub(super) fn insert_missing_singletons(&mut self) {
        for id in ALWAYS_LIVE {
            self.insert_missing(&record_key(ACCOUNT, id));
        }
    }
}
