//! Typed rows of an account: the fields of each row kind, when a row is live, and its references.

pub(crate) mod campaign;
pub(crate) mod cancellation;
pub(crate) mod cap;
pub(crate) mod closed;
pub(crate) mod comparison;
pub(crate) mod counter;
pub(crate) mod customer;
pub(crate) mod dispute;
pub(crate) mod dispute_status;
pub(crate) mod earning;
pub(crate) mod instance;
pub(crate) mod invoice;
pub(crate) mod item;
pub(crate) mod ledger;
pub(crate) mod listing;
pub(crate) mod loaded_catalog;
pub(crate) mod lot;
pub(crate) mod meter_day;
pub(crate) mod operator_grants;
pub(crate) mod payment;
pub(crate) mod payouts;
pub(crate) mod product;
pub(crate) mod purchase;
pub(crate) mod requests;
pub(crate) mod sale;
pub(crate) mod schedule;
pub(crate) mod session;
pub(crate) mod sign_up_trial;
pub(crate) mod subscription;
pub(crate) mod subscription_history;
pub(crate) mod subscription_schedule;
pub(crate) mod summary;
pub(crate) mod token;
pub(crate) mod top_up;
pub(crate) mod trial_change;
pub(crate) mod usage;
pub(crate) mod usage_request;
pub(crate) mod usage_sync;

use extension_contract::{RecordKey, Reference, RowKey};

/// Collection of the singleton rows of an account.
pub(crate) const ACCOUNT: &str = "account";

/// Returns the key of a record.
pub(crate) fn record_key(collection: &str, id: &str) -> RowKey {
    RowKey::Record(RecordKey { collection: collection.to_owned(), id: id.to_owned() })
}

/// Returns a reference to a record.
pub(crate) fn to_record(collection: &str, id: &str) -> Reference {
    Reference::Row(record_key(collection, id))
}

/// Implements `Record` for a type that is stored as a JSON record of a collection. The closures return whether a row is
/// live, its references and, optionally, the fingerprint of the state with which it was last reconciled.
macro_rules! json_record {
    ($record:ty, $collection:expr, live: $live:expr, references: $references:expr) => {
        $crate::model::records::json_record!($record, $collection, live: $live, references: $references, fingerprint: |_| None);
    };
    ($record:ty, $collection:expr, live: $live:expr, references: $references:expr, fingerprint: $fingerprint:expr) => {
        impl $record {
            /// Collection of the type's rows.
            #[allow(dead_code, reason = "no code names the collection of singleton rows")]
            pub const COLLECTION: &'static str = $collection;
        }

        impl $crate::model::table::Record for $record {
            fn key(id: &str) -> extension_contract::RowKey {
                $crate::model::records::record_key($collection, id)
            }

            fn read(row: &extension_contract::Row) -> extension_contract::Fallible<Option<Self>> {
                match row {
                    extension_contract::Row::Record(row) => {
                        $crate::model::json::decode($collection, &row.id, &row.value).map(Some)
                    }
                    _ => Ok(None),
                }
            }

            fn write(&self) -> extension_contract::Fallible<extension_contract::Write> {
                Ok(extension_contract::Write::Record($crate::model::json::encode(self)?))
            }

            fn is_live(&self) -> bool {
                let live: fn(&Self) -> bool = $live;
                live(self)
            }

            fn references(&self) -> Vec<extension_contract::Reference> {
                let references: fn(&Self) -> Vec<extension_contract::Reference> = $references;
                references(self)
            }

            fn fingerprint(&self) -> Option<String> {
                let fingerprint: fn(&Self) -> Option<String> = $fingerprint;
                fingerprint(self)
            }
        }
    };
}
pub(crate) use json_record;
