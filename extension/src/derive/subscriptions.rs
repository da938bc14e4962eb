//! Derives the facts about a subscription: whether and until when it grants entitlements, and its paid plans.

use crate::catalog::settings::Settings;
use crate::catalog::span::Delay;
use crate::catalog::terms::CatalogPrice;
use crate::catalog::view::Catalog;
use crate::model::account::Account;
use crate::model::halt::Ruled;
use crate::model::ids::{PriceId, SubscriptionId};
use crate::model::records::invoice::{BEGINNING, CHANGE, RENEWAL};
use crate::model::records::subscription::{Observation, Pause, SubscriptionRow, is_final};
use crate::model::records::subscription_history::{BillingHistory, Disputed, OpenInvoice};
use extension_contract::{SubscriptionStatus, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Prices of the catalog, by id.
pub(crate) type KnownPrices = BTreeMap<PriceId, Rc<CatalogPrice>>;

/// A subscription with the facts derived from it.
pub(crate) struct SubscriptionFacts {
    pub id: SubscriptionId,
    pub row: Rc<SubscriptionRow>,
    /// Its billing history.
    pub billing: Rc<BillingHistory>,
    /// The prices that grant something, with the paid quantities: the prices of the subscription's items or, if one of
    /// them is unknown, the prices in the newest snapshot with known prices only.
    pub gives: Vec<(Rc<CatalogPrice>, u32)>,
    /// Prices of the catalog in any snapshot of the subscription, possibly with duplicates.
    pub named: Vec<Rc<CatalogPrice>>,
    /// End of the grace period after a failed payment.
    pub grace_end: Option<Timestamp>,
    /// Time from which a paused subscription grants nothing: the end of the period that was paid for.
    pub pause_begins: Option<Timestamp>,
    /// Time since which the subscription has granted nothing.
    pub lost_at: Option<Timestamp>,
    /// Time of the first failed payment, or else the start, of a subscription to a plan that was never paid.
    pub unpaid_at: Option<Timestamp>,
    /// The paid price of each family; after a plan was lost, its last paid price.
    pub plans: BTreeMap<String, Rc<CatalogPrice>>,
}

impl SubscriptionFacts {
    /// Returns whether the subscription ever granted a plan of a family.
    pub fn gave_plan(&self, family: &str, known: &KnownPrices) -> bool {
        let of_family = |price: &Rc<CatalogPrice>| price.family.as_deref() == Some(family);
        self.row.was_ever_served
            && (self.gives.iter().any(|(price, _)| of_family(price))
                || self.row.named().any(|id| known.get(id).is_some_and(of_family)))
    }

    /// Returns the price that a snapshot names and that was paid: the price itself, unless only an unpaid invoice is known for it;
    /// then the paid price of its family.
    pub fn paid_in(&self, seen: &Observation, id: &PriceId, now: Timestamp) -> Option<Rc<CatalogPrice>> {
        let given = self.gives.iter().map(|(price, _)| price);
        let price = given.chain(&self.named).find(|price| price.id == *id)?;
        let is_paid = seen.status() == SubscriptionStatus::Trialing
            || self.billing.paid.contains_key(id)
            || unsettled(price, &self.billing, now).next().is_none();
        match (is_paid, &price.family) {
            (true, _) => Some(price.clone()),
            (false, Some(family)) => self.plans.get(family).cloned(),
            (false, None) => None,
        }
    }

    /// Returns the quantity of a price in a snapshot: at most what was ever paid, if payments are known, and at most what is paid now, if
    /// an invoice is unpaid.
    pub fn paid_quantity_in(&self, price: &CatalogPrice, quantity: u32, now: Timestamp) -> u32 {
        let given = self.gives.iter().filter(|(given, _)| given.id == price.id).map(|(_, quantity)| *quantity).max();
        let counted = self.billing.counted.values().filter(|counted| counted.prices.contains(&price.id));
        let counted = counted.flat_map(|counted| counted.quantities.iter().copied()).max();
        let is_open = unsettled(price, &self.billing, now).next().is_some();
        match (counted, given.filter(|_| is_open)) {
            (None, None) => quantity,
            (counted, given) => quantity.min(counted.max(given).unwrap_or(quantity)),
        }
    }
}

/// Returns the first failure of an invoice's payment in the current run of `past_due`; `None` if no failure is known.
fn first_failure(row: &SubscriptionRow, billing: &BillingHistory) -> Option<Timestamp> {
    let before = row.before_past_due();
    billing.failed.values().copied().filter(|at| before.is_none_or(|before| *at >= before)).min()
}

/// Returns the end of the grace period. Grace begins at the first known failure; later attempts do not move it.
fn grace_end(row: &SubscriptionRow, billing: &BillingHistory, grace: Delay) -> Option<Timestamp> {
    if row.status() != SubscriptionStatus::PastDue {
        return None;
    }
    let run = row.run_start(|seen| seen.status() == SubscriptionStatus::PastDue).unwrap_or(row.at);
    Some(grace.after(first_failure(row, billing).map_or(run, |failed| failed.min(run))))
}

/// Returns whether a pause suspends a subscription, and does not only put off its payments.
fn suspends(pause: Option<Pause>, settings: &Settings) -> bool {
    pause.is_some_and(|pause| settings.suspend_on_pause.contains(&pause))
}

/// Returns when a paused subscription begins to grant nothing, if its kind of pause suspends it.
fn pause_begins(row: &SubscriptionRow, settings: &Settings) -> Option<Timestamp> {
    let is_suspended = !row.is_final() && suspends(row.state().pause, settings);
    is_suspended.then(|| pause_begins_in(&row.history, settings).unwrap_or(row.at))
}

/// Returns when the pause with which a history ends begins to suspend the subscription: at the end of the period in which it was
/// paused, which is paid for.
pub(crate) fn pause_begins_in(history: &[Observation], settings: &Settings) -> Option<Timestamp> {
    let first = history.iter().rev().take_while(|seen| suspends(seen.pause(), settings)).last()?;
    let began = first.at();
    Some(first.paused_until_end().map_or(began, |end| end.max(began)))
}

/// Returns the time since which a subscription has granted nothing because of its status; `None` while it grants something.
fn lost_at(row: &SubscriptionRow, grace_end: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    match row.status() {
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => None,
        SubscriptionStatus::PastDue => grace_end.filter(|end| *end <= now),
        status if is_final(status) => Some(row.ended_at()),
        status => Some(row.run_start(|seen| seen.status() == status).unwrap_or(row.at)),
    }
}

/// Returns the time since which a payment for the current period is disputed, until the dispute is won. Payments for
/// earlier periods do not matter, even if they were made late, because those periods are over.
fn frozen_at(row: &SubscriptionRow, billing: &BillingHistory) -> Option<Timestamp> {
    let start = row.state().items.iter().map(|item| item.period_start).min()?;
    let is_for_now =
        |disputed: &&Disputed| disputed.paid_at >= start && disputed.period_end.is_none_or(|end| end > start);
    billing.disputed.values().filter(is_for_now).map(|disputed| disputed.at).min()
}

/// Returns the unpaid invoices for a price: open ones after the end of their terms, and voided ones without a later payment for
/// the price. A change whose invoice is unpaid is paid for when a whole later period is.
fn unsettled<'b>(
    price: &'b CatalogPrice,
    billing: &'b BillingHistory,
    now: Timestamp,
) -> impl Iterator<Item = &'b OpenInvoice> {
    billing.open.values().filter(move |invoice| {
        let names = invoice.prices.is_empty() || invoice.prices.contains(&price.id);
        let is_due = invoice.due_at.is_none_or(|due| due <= now);
        let is_void = invoice.void_at.is_none_or(|at| billing.paid.get(&price.id).is_none_or(|paid| *paid < at));
        let is_renewed = billing.renewed.get(&price.id).is_some_and(|start| *start > invoice.at);
        names && is_due && is_void && !(invoice.reason == CHANGE && is_renewed)
    })
}

/// Returns the paid price of a family: the subscription's current price or, if its payment is open or failed, the last
/// paid price if this price ranks lower. If no payment is known, a failed payment is assumed to be a renewal.
fn paid_price(
    current: &Rc<CatalogPrice>,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
    now: Timestamp,
) -> Ruled<Option<Rc<CatalogPrice>>> {
    let reasons: Vec<&str> = unsettled(current, billing, now).map(|invoice| invoice.reason.as_str()).collect();
    let is_unsettled = reasons.iter().any(|reason| [BEGINNING, CHANGE].contains(reason));
    if reasons.is_empty() && row.status() != SubscriptionStatus::PastDue {
        return Ok(Some(current.clone()));
    }
    // A renewal can be paid after a change that was made later.
    let paid_from = |id: &PriceId| {
        let of_price = billing.counted.values().filter(|counted| counted.prices.contains(id));
        of_price.map(|counted| counted.at).max()
    };
    let mut last = None;
    for (id, at) in &billing.paid {
        let Some(price) = known.get(id).filter(|price| price.family == current.family) else { continue };
        let order = (paid_from(id).unwrap_or(*at), *at, price.rank()?, id);
        if last.as_ref().is_none_or(|(latest, _)| order > *latest) {
            last = Some((order, price));
        }
    }
    let rank = current.rank()?;
    Ok(match last {
        Some(((.., paid, _), price)) if paid < rank => Some(price.clone()),
        None if is_unsettled => before_change(current, row, billing, known)?,
        _ => Some(current.clone()),
    })
}

/// Returns the price before an unpaid change, if no payment is known: the newest lower price of the family in an active
/// or trialing snapshot; `None` if there is none.
fn before_change(
    current: &Rc<CatalogPrice>,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
) -> Ruled<Option<Rc<CatalogPrice>>> {
    if billing.open.values().any(|invoice| invoice.reason == BEGINNING) {
        return Ok(None);
    }
    let rank = current.rank()?;
    for seen in row.history.iter().rev().filter(|seen| is_good(seen)) {
        for price in seen.prices().iter().filter_map(|(id, _)| known.get(id)) {
            if price.family == current.family && price.rank()? < rank {
                return Ok(Some(price.clone()));
            }
        }
    }
    Ok(None)
}

/// Returns whether a snapshot shows the subscription as paid or in its trial.
fn is_good(seen: &Observation) -> bool {
    matches!(seen.status(), SubscriptionStatus::Active | SubscriptionStatus::Trialing)
}

/// What a subscription's item gives that is paid for.
struct Paid {
    quantity: u32,
    /// The prices of the newest snapshot that are paid for, if this price is not paid at all.
    before: Option<Vec<(PriceId, u32)>>,
}

/// Returns the paid quantity of a price: the subscription's quantity or, if an invoice for it is unpaid (S53), at most what
/// was paid last. A failed renewal of the same quantity does not change it.
fn paid_quantity(
    price: &Rc<CatalogPrice>,
    quantity: u32,
    row: &SubscriptionRow,
    billing: &BillingHistory,
    known: &KnownPrices,
    now: Timestamp,
) -> Paid {
    // Another price of a plan's family, or of an add-on, counts as well: a monthly price may have been replaced by a yearly one.
    let is_sold_as = |other: &Rc<CatalogPrice>| match &price.family {
        Some(_) => other.family == price.family,
        None => other.product_id == price.product_id,
    };
    let is_same = |id: &str| *id == *price.id || known.get(id).is_some_and(is_sold_as);
    let named = |seen: &Observation| seen.prices().iter().find(|(id, _)| is_same(id)).map(|(_, quantity)| *quantity);
    let good = || row.history.iter().rev().filter(|seen| is_good(seen));
    // The last payment paid for the quantity in the snapshot at its time.
    let of_price = || billing.counted.values().filter(|counted| counted.prices.iter().any(|id| is_same(id)));
    let counted_at = of_price().map(|counted| counted.at).max();
    let at_payment = counted_at.map(|at| {
        // A subscription can be changed in the second in which it begins.
        let charges = |quantity| of_price().any(|counted| counted.at == at && counted.quantities.contains(&quantity));
        let newest = row.history.iter().rev().find(|seen| seen.at() <= at && named(seen).is_some());
        let newest = newest.map(Observation::at);
        // Of several snapshots of one second, the one that the invoice charges.
        let of_second = || row.history.iter().rev().filter(|seen| Some(seen.at()) == newest).filter_map(named);
        let seen = of_second().find(|quantity| charges(*quantity)).or_else(|| of_second().next());
        let paid = seen.or_else(|| row.history.iter().find_map(named)).unwrap_or(0);
        // Fewer that were asked for later are paid for as well, and nothing after the price was taken off.
        good().filter(|seen| seen.at() > at).map(|seen| named(seen).unwrap_or(0)).fold(paid, u32::min)
    });
    let period = row.state().items.iter().filter(|item| is_same(&item.price_id)).map(|item| item.period_start).min();
    let mut paid = Paid { quantity, before: None };
    for invoice in unsettled(price, billing, now) {
        let most = match invoice.reason.as_str() {
            BEGINNING => at_payment.unwrap_or(0),
            CHANGE => at_payment
                .unwrap_or_else(|| good().find_map(|seen| named(seen).filter(|fewer| *fewer < quantity)).unwrap_or(0)),
            // A renewal continues with the quantity before its period, and with a change that was paid for in the
            // period.
            RENEWAL => {
                let changed = counted_at.filter(|at| period.is_some_and(|start| *at >= start));
                let mut before = good().filter(|seen| period.is_some_and(|start| seen.at() < start)).peekable();
                match (changed.and(at_payment), before.peek().is_some()) {
                    (Some(paid), _) => paid,
                    (None, true) => before.find_map(named).unwrap_or(0),
                    (None, false) => quantity,
                }
            }
            _ => continue,
        };
        paid.quantity = paid.quantity.min(most);
        if most == 0 && invoice.reason != BEGINNING {
            let before = good().find(|seen| seen.quantity_of(&price.id).is_none());
            // Fewer of what has replaced them are fewer of them as well.
            let fewer = |(id, known): &(PriceId, u32)| (id.clone(), (*known).min(quantity));
            paid.before = before.map(|seen| seen.prices().iter().map(fewer).collect());
        }
    }
    // The invoice may not be known yet; then no payment has been made since the failure.
    let failed = row.run_start(|seen| seen.status() == SubscriptionStatus::PastDue);
    let paid_at = billing.paid.get(&price.id);
    if paid.quantity == quantity && failed.is_some_and(|failed| paid_at.is_none_or(|paid| *paid < failed)) {
        let before = at_payment.or_else(|| good().find_map(named));
        paid.quantity = before.map_or(quantity, |before| before.min(quantity));
    }
    paid
}

/// Returns the prices by which a subscription grants something. An item without a quantity, such as a metered one, grants
/// nothing, so the catalog need not have its price.
fn gives(row: &SubscriptionRow, known: &KnownPrices) -> Vec<(Rc<CatalogPrice>, u32)> {
    let of = |prices: &mut dyn Iterator<Item = (&str, u32)>| -> (Vec<(Rc<CatalogPrice>, u32)>, bool) {
        let (mut found, mut all) = (Vec::new(), true);
        for (id, quantity) in prices {
            match known.get(id) {
                Some(price) if quantity > 0 => found.push((price.clone(), quantity)),
                Some(_) => {}
                None => all &= quantity == 0,
            }
        }
        (found, all)
    };
    let (found, all) = of(&mut row.state().items.iter().map(|item| (item.price_id.as_str(), item.quantity)));
    if all || row.is_final() {
        return found;
    }
    // Unknown prices grant nothing new; earlier grants remain.
    let seen =
        row.history.iter().rev().map(|seen| of(&mut seen.prices().iter().map(|(id, quantity)| (&**id, *quantity))));
    seen.into_iter().find(|(found, all)| *all && !found.is_empty()).map_or(found, |(found, _)| found)
}

/// Reads all catalog prices that the account's subscriptions name now, named earlier, or paid.
fn known_prices(
    catalog: &Catalog<'_>,
    rows: &[(String, Rc<SubscriptionRow>, Rc<BillingHistory>)],
) -> Ruled<KnownPrices> {
    // Most subscriptions of an account name the same few prices.
    let mut ids: BTreeSet<&PriceId> = BTreeSet::new();
    let of_items = rows.iter().flat_map(|(_, row, _)| &row.state().items).map(|item| item.price_id.as_str().into());
    let of_items: Vec<PriceId> = of_items.collect();
    ids.extend(&of_items);
    for (_, row, billing) in rows {
        ids.extend(row.named());
        ids.extend(billing.paid.keys());
    }
    let prices = catalog.prices(ids.iter().copied())?;
    Ok(prices.into_iter().flatten().map(|price| (price.id.clone(), price)).collect())
}

/// Returns the facts about each subscription that can still grant something, and the known prices of these
/// subscriptions.
pub(crate) fn facts(
    account: &mut Account<'_>,
    catalog: &Catalog<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Ruled<(Vec<SubscriptionFacts>, KnownPrices)> {
    let none: Rc<BillingHistory> = Rc::default();
    let mut rows = Vec::new();
    for (id, row) in account.all::<SubscriptionRow>()? {
        // The billing history is live as long as its subscription is live.
        let billing = match row.settled {
            true => account.get::<BillingHistory>(&id)?,
            false => account.get_here::<BillingHistory>(&id)?,
        };
        let mut billing = billing.unwrap_or_else(|| none.clone());
        if !billing.by_credit.is_empty() {
            Rc::make_mut(&mut billing).count_credits();
        }
        rows.push((id, row, billing));
    }
    let known = known_prices(catalog, &rows)?;
    let mut out = Vec::with_capacity(rows.len());
    for (id, row, billing) in rows {
        let grace_end = grace_end(&row, &billing, settings.grace);
        let frozen_at = frozen_at(&row, &billing);
        let pause_begins = pause_begins(&row, settings);
        let paused_at = pause_begins.filter(|at| *at <= now);
        let lost_at = lost_at(&row, grace_end, now).into_iter().chain(frozen_at).chain(paused_at).min();
        // A refused subscription that is being ended grants nothing, even if the one that was kept ends.
        let mut gives = if billing.refused || frozen_at.is_some() { Vec::new() } else { gives(&row, &known) };
        let mut before: Vec<(Rc<CatalogPrice>, u32)> = Vec::new();
        for (price, quantity) in &mut gives {
            *price = price.clone().sold_at(row.sold_at(&price.id).unwrap_or(row.first_at))?;
            let paid = paid_quantity(price, *quantity, &row, &billing, &known, now);
            *quantity = paid.quantity;
            // What an unpaid change has replaced is still paid for. A plan's family has its own rule.
            for (id, quantity) in paid.before.into_iter().flatten() {
                let is_replaced = !row.state().items.iter().any(|item| item.price_id == *id);
                let is_new = !before.iter().any(|(known, _)| known.id == id);
                before.extend(
                    known
                        .get(&id)
                        .filter(|of| is_replaced && is_new && of.family.is_none())
                        .map(|of| (of.clone(), quantity)),
                );
            }
        }
        gives.extend(before);
        let named = row.named().filter_map(|id| known.get(id).cloned()).collect();
        let (mut plans, mut unpaid_at) = (BTreeMap::new(), None);
        for (price, _) in &gives {
            let Some(family) = price.family.as_ref().filter(|family| !plans.contains_key(*family)) else { continue };
            match paid_price(price, &row, &billing, &known, now)? {
                Some(paid) => _ = plans.insert(family.clone(), paid),
                None => unpaid_at = Some(billing.failed.values().copied().min().unwrap_or(row.first_at)),
            }
        }
        let id = id.into();
        out.push(SubscriptionFacts {
            id,
            row,
            billing,
            gives,
            named,
            grace_end,
            pause_begins,
            lost_at,
            unpaid_at,
            plans,
        });
    }
    Ok((out, known))
}
