//! Credits as lots: what each payment gave, what is spent of it, what a refund or dispute took back, and when the rest of it ends.
//!
//! What ends first is spent first, then the oldest. What was spent before it was taken back is a debt, which all other lots pay.

use crate::catalog::{Catalog, Ware};
use crate::chargebacks::left;
use crate::sandbox::{Stripe, minor_micros};
use local_stripe::object::Object;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A one-time purchase that was paid.
#[derive(Clone, Debug)]
pub struct Bought {
    /// Our purchase id.
    pub purchase: String,
    /// Index of the ware.
    pub ware: usize,
    /// The terms of the sale.
    pub terms: Ware,
    /// Quantity.
    pub quantity: i64,
    /// Id of Stripe's charge; empty if a coupon made the purchase free.
    pub charge: String,
    /// Time of payment, in seconds since the epoch.
    pub at_s: i64,
}

/// A lot of credits. Amounts are millionths of the currency's unit.
#[derive(Clone, Debug, Default)]
struct Lot {
    at_s: i64,
    ends_s: Option<i64>,
    given: i64,
    /// What refunds and disputes took back, also if it was spent before.
    back: i64,
    /// What was spent on the usage of each month.
    spent: BTreeMap<String, i64>,
    /// What paid the debts of other lots.
    repaid: i64,
    /// What ended unspent.
    ended: i64,
}

impl Lot {
    /// What is neither spent nor taken back; negative for a debt.
    fn rest(&self) -> i64 {
        self.given - self.back - self.spent.values().sum::<i64>()
    }

    fn debt(&self) -> i64 {
        (-self.rest()).max(0)
    }

    /// What can be spent.
    fn left(&self) -> i64 {
        (self.rest() - self.repaid - self.ended).max(0)
    }

    /// Ends what is left at its time. What comes back to an ended lot ends as well.
    fn end(&mut self, now_s: i64) {
        let has_ended = self.ends_s.is_some_and(|ends_s| ends_s <= now_s);
        self.ended = if has_ended { (self.rest() - self.repaid).max(0) } else { 0 };
    }
}

/// A payment that gives credits.
struct Paid {
    id: String,
    at_s: i64,
    ends_s: Option<i64>,
    given: i64,
    charge: Option<Arc<Object>>,
}

/// The lots of an account, by the id of the purchase or the invoice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lots {
    all: BTreeMap<String, Lot>,
    /// True if the host may have learned of changes in another order, or after the end of a lot. Then it is open which lot paid a debt.
    is_order_open: bool,
    /// The second of the last change of a lot by a payment, a refund or a dispute.
    changed_s: i64,
}

/// The one-time purchases and invoices that give credits.
fn payments(catalog: &Catalog, stripe: &Stripe, bought: &[Bought]) -> Vec<Paid> {
    let (minor, charges) = (minor_micros(stripe.currency()), stripe.all("charge"));
    let of_purchase = |bought: &Bought| {
        let charge = charges.iter().find(|charge| charge.id() == bought.charge).cloned();
        let credits = bought.terms.credits.get(stripe.currency())?;
        let ends_s = credits.lasts_s.map(|lasts_s| bought.at_s + lasts_s);
        let given = credits.minor * bought.quantity * minor;
        Some(Paid { id: bought.purchase.clone(), at_s: bought.at_s, ends_s, given, charge })
    };
    let of_invoice = |invoice: &Arc<Object>| {
        invoice.text_at("parent.subscription_details.subscription").filter(|_| invoice.text("status") == "paid")?;
        let at_s = invoice.int_at("status_transitions.paid_at")?;
        let charge = charges.iter().find(|charge| charge.is("paid") && charge.as_charge().invoice == invoice.id());
        let (mut given, mut lasts_s) = (0, None);
        for line in invoice.list_at("lines") {
            let Some(price) = line["pricing"]["price_details"]["price"].as_str().filter(|id| stripe.sells(id)) else {
                continue;
            };
            let ware = &catalog.wares[stripe.plan(price)];
            let Some(credits) = ware.credits.get(stripe.currency()) else { continue };
            // A line charges a part of the price, several times the price, or gives a part of it back.
            given += credits.minor * minor * line["amount"].as_i64().unwrap_or(0) / ware.offer.amount;
            lasts_s = lasts_s.or(credits.lasts_s);
        }
        let ends_s = lasts_s.map(|lasts_s| at_s + lasts_s);
        Some(Paid { id: invoice.id().to_owned(), at_s, ends_s, given, charge: charge.cloned() })
    };
    let all = bought.iter().filter_map(of_purchase);
    all.chain(stripe.all("invoice").iter().filter_map(of_invoice)).filter(|paid| paid.given > 0).collect()
}

impl Lots {
    /// Reads the payments, and applies the consequences of time. Call it in order of time.
    pub(crate) fn update(&mut self, catalog: &Catalog, stripe: &Stripe, bought: &[Bought]) {
        let now_s = stripe.now_s();
        self.all.values_mut().for_each(|lot| lot.end(now_s));
        for Paid { id, at_s, ends_s, given, charge } in payments(catalog, stripe, bought) {
            let (left, all) = charge.map_or((1, 1), |charge| left(stripe, &charge));
            let is_new = !self.all.contains_key(&id);
            let lot = self.all.entry(id).or_insert(Lot { at_s, ends_s, given, ..Lot::default() });
            let before = std::mem::replace(&mut lot.back, lot.given - lot.given * left / all);
            if is_new || lot.back != before {
                self.is_order_open |= self.changed_s == now_s;
                self.changed_s = now_s;
            }
        }
        self.settle(now_s);
    }

    /// Pays the debts of lots from others, or takes the payments back if there are fewer debts.
    fn settle(&mut self, now_s: i64) {
        for lot in self.all.values_mut() {
            lot.repaid = lot.repaid.min(lot.rest().max(0));
            lot.end(now_s);
        }
        let mut open: i64 = self.all.values().map(|lot| lot.debt() - lot.repaid).sum();
        for lot in self.in_order() {
            let pays = open.clamp(0, lot.left());
            lot.repaid += pays;
            open -= pays;
        }
        for lot in self.in_order().into_iter().rev() {
            let returns = (-open).clamp(0, lot.repaid);
            lot.repaid -= returns;
            open += returns;
        }
        self.all.values_mut().for_each(|lot| lot.end(now_s));
    }

    /// The lots in the order in which they are spent.
    fn in_order(&mut self) -> Vec<&mut Lot> {
        let mut lots: Vec<&mut Lot> = self.all.values_mut().collect();
        let end = |lot: &Lot| lot.ends_s.unwrap_or(i64::MAX);
        lots.sort_by(|a, b| end(a).cmp(&end(b)).then(a.at_s.cmp(&b.at_s)));
        lots
    }

    /// Spends up to an amount on the usage of a month. Returns what was spent.
    pub(crate) fn spend(&mut self, month: &str, micros: i64) -> i64 {
        let mut open = micros;
        for lot in self.in_order() {
            let takes = lot.left().min(open);
            if takes > 0 {
                *lot.spent.entry(month.to_owned()).or_default() += takes;
                open -= takes;
            }
        }
        micros - open
    }

    /// Gives back what was spent on the usage of a month: what was spent last comes back first.
    pub(crate) fn give_back(&mut self, month: &str, micros: i64, now_s: i64) {
        let mut open = micros;
        for spent in self.in_order().into_iter().rev().filter_map(|lot| lot.spent.get_mut(month)) {
            let back = open.min(*spent);
            *spent -= back;
            open -= back;
        }
        self.settle(now_s);
    }

    /// Notes that the host learned something late.
    pub(crate) fn told_late(&mut self) {
        self.is_order_open = true;
    }

    /// Credits left, and credits owed.
    pub(crate) fn balance(&self) -> (i64, i64) {
        let sum = |of: &dyn Fn(&Lot) -> i64| self.all.values().map(of).sum::<i64>();
        (sum(&Lot::left), sum(&|lot| lot.debt() - lot.repaid))
    }

    /// Maximum difference of the balance: the rounded part of each lot that was taken back in part, and debts of which it is open whether
    /// a lot that has ended or another one paid them.
    pub(crate) fn slack(&self) -> i64 {
        let taken = self.all.values().filter(|lot| lot.back > 0).count() as i64;
        let ended: i64 = self.all.values().filter(|lot| lot.ends_s.is_some()).map(|lot| lot.ended + lot.repaid).sum();
        let debts: i64 = self.all.values().map(Lot::debt).sum();
        taken + if self.is_order_open { ended.min(debts) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lots(all: &[(&str, i64, Option<i64>, i64)]) -> Lots {
        let lot = |&(id, at_s, ends_s, given): &(&str, i64, Option<i64>, i64)| {
            (id.to_owned(), Lot { at_s, ends_s, given, ..Lot::default() })
        };
        Lots { all: all.iter().map(lot).collect(), ..Lots::default() }
    }

    /// Given a lot without an end and a newer one with an end, the newer one is spent first, and its rest ends.
    #[test]
    fn what_ends_first_is_spent_first() {
        let mut lots = lots(&[("a", 1, None, 100), ("b", 2, Some(50), 30)]);
        assert_eq!(lots.spend("2026-01", 20), 20);
        lots.settle(50);
        assert_eq!(lots.balance(), (100, 0));
        assert_eq!(lots.spend("2026-01", 120), 100);
        // The newer lot was spent first, so the older one gets back first.
        lots.give_back("2026-01", 110, 60);
        assert_eq!(lots.balance(), (100, 0));
    }

    /// Given a spent lot that is taken back, another lot pays the debt, until the dispute is won.
    #[test]
    fn other_lots_pay_a_debt_while_there_is_one() {
        let mut lots = lots(&[("a", 1, None, 100), ("b", 2, Some(50), 30)]);
        assert_eq!(lots.spend("2026-01", 90), 90);
        lots.all.get_mut("a").expect("a lot").back = 100;
        lots.settle(10);
        assert_eq!(lots.balance(), (0, 60));
        lots.all.get_mut("a").expect("a lot").back = 0;
        lots.settle(20);
        assert_eq!(lots.balance(), (40, 0));
    }
}
