//! A customer only ever becomes deleted.

use super::earliest;
use crate::model::records::customer::Customer;

/// Merge a view into a record.
pub(crate) fn merge(record: &mut Customer, view: &Customer) {
    record.deleted_at = earliest(record.deleted_at, view.deleted_at);
}
