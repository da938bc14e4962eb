//! Prices measured usage by its attributes, pays it from credits first, and leaves the rest for the month's invoice.

use crate::catalog::in_force::value_at;
use crate::catalog::meter::included_by;
use crate::catalog::rate::{InvoiceTerms, PaidBy, Rate, rate_at, rate_since};
use crate::catalog::split::Share;
use crate::catalog::view::Catalog;
use crate::derive::currency;
use crate::desk::Desk;
use crate::model::halt::{Halt, Ruled};
use crate::model::ids::ProductId;
use crate::model::monthly_price::MonthlyPrice;
use crate::model::records::cap::Cap;
use crate::model::records::lot::Lot;
use crate::model::records::usage::{UsageDay, UsageMonth, Use};
use crate::model::records::usage_request::UsageRequest;
use crate::model::time::{DAY_MS, date, day_of, month_id, month_of};
use extension_contract::*;

/// The cost of a measurement, in millionths of the currency's unit.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    /// Total cost.
    all: i64,
    /// The product of a seller, and the part of the cost that the seller charges.
    seller: Option<(ProductId, i64)>,
    /// The price, if it depends on the amount of the month. Then the total is known only with this amount.
    monthly: Option<ByMonth>,
}

/// A price that depends on the amount of the month.
#[derive(Clone, Debug)]
pub(crate) struct ByMonth {
    /// The attribute of the price; empty if all units have one price.
    pub by: String,
    /// The value of the attribute.
    pub value: String,
    /// Since when the price has been in force.
    pub since: Timestamp,
    /// The price.
    pub price: MonthlyPrice,
}

impl Cost {
    /// Returns the total cost in millionths of the currency's unit; 0 if it depends on the amount of the month.
    pub fn micros(&self) -> i64 {
        self.all
    }

    /// Returns the price, if it depends on the amount of the month.
    pub fn monthly(&self) -> Option<&ByMonth> {
        self.monthly.as_ref()
    }

    /// Returns the product of a seller, and the seller's part of the cost in millionths.
    pub fn seller(&self) -> Option<(&ProductId, i64)> {
        self.seller.as_ref().map(|(product, micros)| (product, *micros))
    }
}

/// Returns the cost of a measurement in the account's currency, by the rate at its time or, if that has no price for it, by today's
/// rate. Fails if neither has a price.
pub(crate) fn cost(desk: &mut Desk<'_>, rate: &Rate, usage: &Usage) -> Ruled<Cost> {
    let settings = desk.catalog.settings()?;
    let currency = currency::of_usage(desk)?;
    let then = rate_at(&settings.former_rates, &settings.rates, &usage.meter, usage.at).unwrap_or(rate);
    let since = |at| rate_since(&settings.former_rates, &usage.meter, at);
    match cost_by(&desk.catalog, &then.in_currency(&currency), since(usage.at), usage) {
        Err(Halt::Refused(Refusal::NotFound(_))) if then != rate => {
            cost_by(&desk.catalog, &rate.in_currency(&currency), since(Timestamp::MAX), usage)
        }
        cost => cost,
    }
}

fn cost_by(catalog: &Catalog<'_>, rate: &Rate, since: Timestamp, usage: &Usage) -> Ruled<Cost> {
    let value = attribute(usage, &rate.by).unwrap_or_default();
    let known = || {
        let values = rate.priced().collect::<Vec<_>>().join(", ");
        let text = format!("rate of {} for {} `{value}`: expected one of {values}", usage.meter, rate.by);
        Refusal::NotFound(text)
    };
    let beyond = || Refusal::Malformed(format!("quantity of {}: its cost exceeds 64 bits", usage.id));
    let settings = catalog.settings()?;
    let is_included = included_by(&settings.entitlements, &settings.rates, &usage.meter).is_some();
    // With several currencies the units of a month can be priced anew when the account chooses its currency.
    let by_month = is_included || settings.currency.are_several();
    if rate.has_tiers_of(value) || by_month && rate.seller.is_none() {
        let price = rate.monthly(value).ok_or_else(known)?;
        if !price.fits(usage.quantity) {
            return Err(beyond().into());
        }
        let by_month = ByMonth { by: rate.by.clone(), value: value.to_owned(), since, price };
        return Ok(Cost { all: 0, seller: None, monthly: Some(by_month) });
    }
    let of_meter = rate.cost_micros(value, usage.quantity).ok_or_else(known)?.ok_or_else(beyond)?;
    let named = rate.seller.as_ref().and_then(|seller| Some((seller, attribute(usage, &seller.by)?)));
    let Some((seller, product)) = named else { return Ok(Cost { all: of_meter, seller: None, monthly: None }) };
    // A misspelt product would give its seller nothing, and charge the buyer too little.
    if catalog.product(product)?.is_none() {
        let text = format!("{} of {}: `{product}`, expected the id of a product", seller.by, usage.meter);
        return Err(Refusal::NotFound(text).into());
    }
    let micros = value_at(&*catalog.metadata(product)?, seller.field(), usage.at);
    let of_seller = usage.quantity.checked_mul(micros).ok_or_else(beyond)?;
    let all = of_meter.checked_add(of_seller).ok_or_else(beyond)?;
    Ok(Cost { all, seller: (of_seller > 0).then(|| (product.into(), of_seller)), monthly: None })
}

/// Returns the attribute whose value has no price: the meter's own, or the seller's if the meter has a price.
pub(crate) fn unpriced_by<'r>(rate: &'r Rate, usage: &Usage) -> &'r str {
    let is_priced = rate.monthly(attribute(usage, &rate.by).unwrap_or_default()).is_some();
    rate.seller.as_ref().filter(|_| is_priced).map_or(&rate.by, |seller| &seller.by)
}

fn attribute<'u>(usage: &'u Usage, name: &str) -> Option<&'u str> {
    usage.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Counts a measurement with its cost in the day and month of its time, or in the current month if that month is
/// closed. Returns what it costs, in millionths.
pub(crate) fn spend(desk: &mut Desk<'_>, rate: &Rate, usage: &Usage, cost: &Cost) -> Ruled<i64> {
    let cost_micros = cost.all;
    let attributes = rate.attributes().filter_map(|name| Some((name.clone(), attribute(usage, name)?.to_owned())));
    let (month_id, mut month) = open_month(desk, usage.at)?;
    let covered_micros = match rate.pay.contains(&PaidBy::Credits) {
        true => take_credits(desk, cost_micros, (&month_id, &month))?,
        false => 0,
    };
    let used = Use {
        meter: usage.meter.clone(),
        attributes: attributes.collect(),
        quantity: usage.quantity,
        cost_micros,
        requests: 1,
        covered_micros,
        at_use: None,
    };
    let id = date(usage.at);
    let mut day = desk.account.row::<UsageDay>(&id)?.unwrap_or_default();
    day.start = day_of(usage.at);
    day.uses.add(used.clone());
    desk.account.put(&id, day);
    if rate.log {
        log(desk, usage, cost, &used, &month_id)?;
    }
    month.uses.add(used);
    if let Some((product, micros)) = &cost.seller {
        let part = month.sellers.entry(product.clone()).or_default();
        if part.to.is_none()
            && let Some(share) = share_of(&desk.catalog, product)?
        {
            part.agree(&share.to, share.share_bp, share.hold_days);
        }
        part.micros = part.micros.saturating_add(*micros);
    }
    month.credits_micros = month.credits_micros.saturating_add(covered_micros);
    desk.account.put(&month_id, month);
    Ok(cost_micros)
}

/// Returns the share of a product's seller.
fn share_of(catalog: &Catalog<'_>, product: &str) -> Ruled<Option<Share>> {
    let Some(row) = catalog.product(product)? else { return Ok(None) };
    let Some(decl) = catalog.type_named(&row.values.product_type)? else { return Ok(None) };
    let fields = catalog.metadata(product)?;
    Ok(decl.split.as_ref().and_then(|split| split.share(&fields)))
}

/// Adds a measurement to the row of its request in the log.
pub(crate) fn log(desk: &mut Desk<'_>, usage: &Usage, cost: &Cost, used: &Use, month: &str) -> Ruled<()> {
    let id = UsageRequest::id_of(usage.at, &usage.id);
    let mut request = desk.account.row::<UsageRequest>(&id)?.unwrap_or_default();
    (request.request, request.at, request.month) = (usage.id.clone(), usage.at, month.to_owned());
    request.attributes.extend(usage.attributes.iter().cloned());
    let quantity = request.quantities.entry(usage.meter.clone()).or_default();
    *quantity = quantity.saturating_add(usage.quantity);
    request.cost_micros = request.cost_micros.saturating_add(used.cost_micros);
    request.covered_micros = request.covered_micros.saturating_add(used.covered_micros);
    let of_seller = cost.seller.as_ref().map_or(0, |(_, micros)| *micros);
    request.seller_micros = request.seller_micros.saturating_add(of_seller);
    desk.account.put(&id, request);
    Ok(())
}

/// Returns the minor units of a month that may be invoiced, and whether the account itself has chosen them; `None` if there is no bound.
pub(crate) fn may_spend(desk: &mut Desk<'_>, terms: &InvoiceTerms) -> Ruled<Option<(i64, bool)>> {
    let cap = desk.account.get_here::<Cap>(Cap::ID)?.and_then(|cap| cap.amount_minor);
    Ok(match (terms.limit, cap) {
        (Some(limit), Some(cap)) if limit < cap => Some((limit, false)),
        (_, Some(cap)) => Some((cap, true)),
        (limit, None) => limit.map(|limit| (limit, false)),
    })
}

/// Returns the month of a time, or the current month if the month of the time is closed.
pub(crate) fn open_month(desk: &mut Desk<'_>, at: Timestamp) -> Ruled<(String, UsageMonth)> {
    for at in [at, desk.now] {
        let (start, end) = month_of(at);
        let id = month_id(start);
        match desk.account.row::<UsageMonth>(&id)? {
            Some(month) if month.closed => {}
            Some(month) => return Ok((id, month)),
            // A past month without usage counts as closed.
            None if end.saturating_add(DAY_MS) <= desk.now => {}
            None => return Ok((id, UsageMonth { start, end, currency: label(desk)?, ..UsageMonth::default() })),
        }
    }
    // The current month is closed because the clock went back: uses the following month.
    let (start, end) = month_of(month_of(desk.now).1);
    let id = month_id(start);
    let month = match desk.account.row::<UsageMonth>(&id)? {
        Some(month) => month,
        None => UsageMonth { currency: label(desk)?, ..UsageMonth::default() },
    };
    Ok((id, UsageMonth { start, end, ..month }))
}

/// Returns the currency that a new month notes; empty if the business sells in one.
fn label(desk: &mut Desk<'_>) -> Ruled<String> {
    match desk.catalog.settings()?.currency.are_several() {
        true => currency::of_usage(desk),
        false => Ok(String::new()),
    }
}

/// Takes up to an amount for the usage of a month from the credit lots of its currency: from those that end first, then from the oldest.
/// Returns the amount taken, in millionths.
pub(crate) fn take_credits(desk: &mut Desk<'_>, amount_micros: i64, (id, month): (&str, &UsageMonth)) -> Ruled<i64> {
    let settings = desk.catalog.settings()?;
    let (now, currency, month) = (desk.now, month.currency(&settings.currency), id);
    let mut lots = desk.account.all_where(|lot: &Lot| lot.currency == currency && !lot.has_ended(now))?;
    lots.sort_by(|(a_id, a), (b_id, b)| (a.place(), a_id).cmp(&(b.place(), b_id)));
    let mut open = amount_micros;
    for (id, lot) in lots {
        let takes = open.clamp(0, lot.left_micros().max(0));
        if takes > 0 {
            open -= takes;
            let mut lot = Lot::clone(&lot);
            lot.spent_micros += takes;
            *lot.spent_in.entry(month.to_owned()).or_default() += takes;
            desk.account.put(&id, lot);
        }
    }
    Ok(amount_micros - open)
}

/// Gives an amount back to the credit lots that paid the usage of a month, in the opposite order. Returns what was given back, in millionths.
pub(crate) fn give_back(desk: &mut Desk<'_>, micros: i64, month: &str) -> Ruled<i64> {
    desk.account.load_whole(Lot::COLLECTION)?;
    let mut lots = desk.account.all::<Lot>()?;
    lots.sort_by(|(a_id, a), (b_id, b)| (b.place(), b_id).cmp(&(a.place(), a_id)));
    let mut open = micros;
    for (id, lot) in lots {
        let back = open.clamp(0, lot.spent_in.get(month).copied().unwrap_or(0));
        if back > 0 {
            open -= back;
            let mut lot = Lot::clone(&lot);
            lot.spent_micros -= back;
            lot.spent_in.entry(month.to_owned()).and_modify(|spent| *spent -= back);
            lot.spent_in.retain(|_, spent| *spent > 0);
            // What refunds should have taken is there again.
            let taken = lot.owed_micros.min(back);
            (lot.owed_micros, lot.taken_micros) = (lot.owed_micros - taken, lot.taken_micros + taken);
            desk.account.put(&id, lot);
        }
    }
    Ok(micros - open)
}
