//! A customer: snapshots only report the deletion. The earliest time of deletion wins.

use super::earliest;
use crate::model::records::customer::Customer;

/// Merges a snapshot into a record.
pub(crate) fn merge(record: &mut Customer, snapshot: &Customer) {
    record.deleted_at = earliest(record.deleted_at, snapshot.deleted_at);
}
