//! What a list of subscriptions says about their bills: the planned change, and the invoices that wait for their payment.

use crate::derive::overdue::{OwedInvoice, may_wait, owed};
use crate::model::ids::InvoiceId;
use crate::model::records::invoice::Invoice;
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription_history::{BillingHistory, PendingChange};
use crate::model::table::Record;
use extension_contract::*;
use std::collections::BTreeMap;

/// The bills of a subscription.
#[derive(Default)]
pub(super) struct Bills {
    /// The change that is planned for the end of the period.
    pub pending: Option<PendingChange>,
    /// The invoices that wait for their payment, the oldest first.
    pub owed: Vec<OwedInvoice>,
    /// The code of the purchase that began the subscription.
    pub code: Option<String>,
}

/// Returns the bills of these subscriptions, in their order.
pub(super) fn bills(host: &mut dyn Imports, rows: &[StoredRow]) -> Result<Vec<Bills>, Problem> {
    let histories: Vec<BillingHistory> = records(host, rows.iter().map(|stored| stored.row.id().to_owned()).collect())?
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect();
    let ids: Vec<InvoiceId> = histories.iter().flat_map(may_wait).cloned().collect();
    let found = records::<Invoice>(host, ids.iter().map(ToString::to_string).collect())?;
    let invoices: BTreeMap<InvoiceId, Invoice> =
        ids.into_iter().zip(found).filter_map(|(id, invoice)| Some((id, invoice?))).collect();
    let bought: Vec<String> = histories.iter().filter_map(|history| history.purchase.clone()).collect();
    let purchases = records::<PurchaseRow>(host, bought.clone())?;
    let codes: BTreeMap<String, String> =
        bought.into_iter().zip(purchases).filter_map(|(id, row)| Some((id, row?.details.code?))).collect();
    let each = histories.into_iter().map(|history| {
        let mut owed: Vec<OwedInvoice> = may_wait(&history).filter_map(|id| owed(id, invoices.get(id)?)).collect();
        owed.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        let code = history.purchase.as_ref().and_then(|id| codes.get(id)).cloned();
        Bills { pending: history.pending, owed, code }
    });
    Ok(each.collect())
}

/// Reads records of a collection by their ids.
fn records<R: Record>(host: &mut dyn Imports, ids: Vec<String>) -> Result<Vec<Option<R>>, Problem> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<RowKey> = ids.iter().map(|id| R::key(id)).collect();
    let found = host.load(&keys).map_err(|error| Problem::Failed(error.into()))?;
    let read = |stored: Option<StoredRow>| stored.map_or(Ok(None), |stored| R::read(&stored.row));
    found.into_iter().map(read).collect::<Fallible<_>>().map_err(Problem::Failed)
}
