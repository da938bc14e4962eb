//! An invoice only moves forward (draft, open, uncollectible, void, paid), so the snapshot with the further status
//! wins; of two snapshots with the same status, the later one.

use super::{News, earliest, newest_id};
use crate::model::json::encode;
use crate::model::records::invoice::Invoice;
use extension_contract::Fallible;

/// Returns the invoice without the fields that have their own merge rules.
fn bare(invoice: &Invoice) -> Invoice {
    Invoice {
        failed_at: None,
        at: 0,
        first_at: 0,
        customer: None,
        subscription: None,
        customer_at: None,
        subscription_at: None,
        booked: false,
        ..invoice.clone()
    }
}

/// Merges a snapshot into a record.
pub(crate) fn merge(record: &mut Invoice, snapshot: &Invoice) -> Fallible<News> {
    let failed_at = earliest(record.failed_at, snapshot.failed_at);
    let first_at = record.first_at.min(snapshot.first_at);
    let customer = |invoice: &Invoice| (invoice.customer_at, invoice.customer.clone());
    let (customer_at, customer) = newest_id(customer(record), customer(snapshot));
    let subscription = |invoice: &Invoice| (invoice.subscription_at, invoice.subscription.clone());
    let (subscription_at, subscription) = newest_id(subscription(record), subscription(snapshot));
    let (a, b) = (bare(record), bare(snapshot));
    let (winner, at, is_older) = if a == b {
        (a, record.at.max(snapshot.at), false)
    } else if (snapshot.status, snapshot.at, encode(&b)?) > (record.status, record.at, encode(&a)?) {
        (b, snapshot.at, false)
    } else {
        (a, record.at, true)
    };
    let booked = record.booked;
    let merged =
        Invoice { failed_at, at, first_at, customer, customer_at, subscription, subscription_at, booked, ..winner };
    // A repeated id or state is not a change.
    let undated =
        |invoice: &Invoice| Invoice { at: 0, first_at: 0, customer_at: None, subscription_at: None, ..invoice.clone() };
    let news = match (undated(&merged) == undated(record), is_older) {
        (false, _) => News::Changed,
        (true, true) => News::Older,
        (true, false) => News::Same,
    };
    *record = merged;
    Ok(news)
}
