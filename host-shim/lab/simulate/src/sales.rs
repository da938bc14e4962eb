//! Computes the shares of creators in the sales of an account, from the payments at the local Stripe.

use crate::catalog::{Catalog, Split};
use crate::chargebacks::left;
use crate::lots::Bought;
use crate::oracle::Share;
use crate::sandbox::Stripe;
use local_stripe::object::Object;
use std::collections::BTreeMap;

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
        if let Some(split) = &bought.terms.share
            && let Some(charge) = charges.iter().find(|charge| charge.id() == bought.charge)
        {
            out.push(sale(split, stripe, charge));
        }
    }
    for invoice in invoices.iter().filter(|invoice| invoice.text("status") == "paid" && invoice.int("total") > 0) {
        let charge = charges.iter().find(|charge| charge.is("paid") && charge.as_charge().invoice == invoice.id());
        out.extend(of_invoice(catalog, stripe, invoice, charge.map(AsRef::as_ref)));
    }
    out
}

/// The sales of a paid invoice. The part of each product with a share is the sum of its lines after discounts. Amounts
/// paid from the customer's balance count as received.
fn of_invoice(catalog: &Catalog, stripe: &Stripe, invoice: &Object, charge: Option<&Object>) -> Vec<Sale> {
    let mut parts: BTreeMap<usize, i64> = BTreeMap::new();
    let mut lines = 0;
    for line in invoice.list_at("lines") {
        let Some(price) = line["pricing"]["price_details"]["price"].as_str().filter(|id| stripe.sells(id)) else {
            continue;
        };
        lines += 1;
        let ware = stripe.plan(price);
        let taken = line["discount_amounts"].as_array().into_iter().flatten();
        let taken: i64 = taken.filter_map(|taken| taken["amount"].as_i64()).sum();
        if catalog.wares[ware].share.is_some() {
            *parts.entry(ware).or_default() += line["amount"].as_i64().unwrap_or(0) - taken;
        }
    }
    let (left, paid) = charge.map_or((0, 0), |charge| left(stripe, charge));
    let back = paid - left;
    let at_s = invoice.int_at("status_transitions.paid_at").unwrap_or_default();
    let of = |(ware, gross): (usize, i64)| {
        let split = catalog.wares[ware].share.as_ref()?;
        let part = |amount: i64| part_of(amount, split.share_bp);
        let whole = part(gross.max(0));
        let rest =
            i128::from(gross.max(0)) * i128::from(invoice.int("total") - back) / i128::from(invoice.int("total"));
        // What is left of an invoice is at most its total, so the rest is at most the line.
        let rest = i64::try_from(rest).expect("a part of an amount");
        // The extension rounds each line's part, and the part of a refund.
        let slack = i64::from(back > 0) + i64::from(lines > 1);
        let share = match rest {
            0 => (0, 0),
            rest => ((part(rest) - slack).max(0), (part(rest) + slack).min(whole + i64::from(lines > 1))),
        };
        let available_s = at_s + split.hold_days * DAY_S;
        Some(Sale { creator: split.to.clone(), share, whole: whole + i64::from(lines > 1), available_s })
    };
    parts.into_iter().filter_map(of).collect()
}

/// A part of an amount, in basis points, rounded down.
fn part_of(amount: i64, share_bp: i64) -> i64 {
    // A share is at most the whole, 10 000 basis points.
    i64::try_from(i128::from(amount) * i128::from(share_bp) / 10_000).expect("a part of an amount")
}

fn sale(split: &Split, stripe: &Stripe, charge: &Object) -> Sale {
    let (left, gross) = left(stripe, charge);
    let of = |amount: i64| part_of(amount, split.share_bp);
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
