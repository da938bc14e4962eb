//! Computes the shares of creators in the sales of an account, from the payments at the local Stripe.

use crate::catalog::{Catalog, Split};
use crate::oracle::{Bought, Share, left};
use crate::sandbox::Stripe;
use local_stripe::object::Object;
use std::collections::BTreeMap;
use std::sync::Arc;

const DAY_S: i64 = 86_400;

/// A sale of which a creator gets a share.
#[derive(Clone, Debug)]
pub struct Sale {
    /// Account of the creator.
    pub creator: String,
    /// The share now.
    pub share: Share,
    /// The share without refunds and disputes, in minor units.
    pub whole: i64,
    /// Time from which the share can be paid out, in seconds since the epoch.
    pub available_s: i64,
}

/// The shares by creator.
pub fn shares_of(sales: &[Sale]) -> BTreeMap<String, Share> {
    let mut out: BTreeMap<String, Share> = BTreeMap::new();
    for sale in sales {
        let held = out.entry(sale.creator.clone()).or_default();
        *held = (held.0 + sale.share.0, held.1 + sale.share.1);
    }
    out
}

/// The sales in one-time purchases and paid invoices.
pub(crate) fn sales(catalog: &Catalog, stripe: &Stripe, bought: &[Bought]) -> Vec<Sale> {
    let (charges, invoices) = (stripe.all("charge"), stripe.all("invoice"));
    let mut out = Vec::new();
    for bought in bought {
        if let Some(split) = &catalog.wares[bought.ware].share
            && let Some(charge) = charges.iter().find(|charge| charge.id() == bought.charge)
        {
            out.push(sale(split, stripe, charge));
        }
    }
    for charge in charges.iter().filter(|charge| charge.is("paid")) {
        if let Some(ware) = ware_of(stripe, &invoices, charge)
            && let Some(split) = &catalog.wares[ware].share
        {
            out.push(sale(split, stripe, charge));
        }
    }
    out
}

/// Index of the ware that the invoice of a charge sells.
fn ware_of(stripe: &Stripe, invoices: &[Arc<Object>], charge: &Object) -> Option<usize> {
    let invoice = invoices.iter().find(|invoice| invoice.id() == charge.text("_invoice"))?;
    let price = invoice.list_at("lines").first()?["pricing"]["price_details"]["price"].as_str()?;
    stripe.sells(price).then(|| stripe.plan(price))
}

fn sale(split: &Split, stripe: &Stripe, charge: &Object) -> Sale {
    let (left, gross) = left(stripe, charge);
    let of = |amount: i64| {
        let part = i128::from(amount) * i128::from(split.share_bp) / 10_000;
        // A share is at most the whole, 10 000 basis points.
        i64::try_from(part).expect("a part of an amount")
    };
    let whole = of(gross);
    let share = match left {
        0 => (0, 0),
        left if left == gross => (whole, whole),
        // The extension rounds the refunded part too.
        left => ((of(left) - 1).max(0), (of(left) + 1).min(whole)),
    };
    let available_s = charge.int("created") + split.hold_days * DAY_S;
    Sale { creator: split.to.clone(), share, whole, available_s }
}
