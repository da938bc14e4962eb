//! An invoice only moves forward (draft, open, uncollectible, void, paid), so of two views the further one wins and
//! within one state the later.

use super::{News, earliest, newest_named};
use crate::model::json::encode;
use crate::model::records::invoice::Invoice;
use extension_contract::Fallible;

/// Without what is merged by a rule of its own.
fn bare(invoice: &Invoice) -> Invoice {
    Invoice {
        failed_at: None,
        at: 0,
        customer: None,
        subscription: None,
        customer_at: None,
        subscription_at: None,
        booked: false,
        ..invoice.clone()
    }
}

/// Merge a view into a record.
pub(crate) fn merge(record: &mut Invoice, view: &Invoice) -> Fallible<News> {
    let failed_at = earliest(record.failed_at, view.failed_at);
    let customer = |invoice: &Invoice| (invoice.customer_at, invoice.customer.clone());
    let (customer_at, customer) = newest_named(customer(record), customer(view));
    let subscription = |invoice: &Invoice| (invoice.subscription_at, invoice.subscription.clone());
    let (subscription_at, subscription) = newest_named(subscription(record), subscription(view));
    let (a, b) = (bare(record), bare(view));
    let (winner, at, is_older) = if a == b {
        (a, record.at.max(view.at), false)
    } else if (view.status, view.at, encode(&b)?) > (record.status, record.at, encode(&a)?) {
        (b, view.at, false)
    } else {
        (a, record.at, true)
    };
    let booked = record.booked;
    let merged = Invoice { failed_at, at, customer, customer_at, subscription, subscription_at, booked, ..winner };
    // That a name or a state was said once more is no news.
    let said = |invoice: &Invoice| Invoice { at: 0, customer_at: None, subscription_at: None, ..invoice.clone() };
    let news = match (said(&merged) == said(record), is_older) {
        (false, _) => News::Changed,
        (true, true) => News::Older,
        (true, false) => News::Same,
    };
    *record = merged;
    Ok(news)
}
