//! Prices an open month of usage in another currency: what an account used before its first purchase was priced in the default one, and
//! the purchase decides the currency.

use crate::actions::by_month::{charge, nothing, price_in};
use crate::derive::currency;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::monthly_price::Included;
use crate::model::records::usage::UsageMonth;

/// Prices the units of an open month anew if the account pays in another currency than the month's.
pub(crate) fn reprice(desk: &mut Desk<'_>, id: &str, mut month: UsageMonth) -> Ruled<UsageMonth> {
    let settings = desk.catalog.settings()?;
    if month.currency.is_empty() && !settings.currency.are_several() {
        return Ok(month);
    }
    let currency = currency::of_usage(desk)?;
    // Without its units a use cannot be priced anew. It is from a time when the business sold in one currency.
    let has_units = month.uses.0.iter().all(|used| used.cost_micros == 0 || month.meters.contains_key(&used.meter));
    if month.currency(&settings.currency) == currency || !has_units {
        return Ok(month);
    }
    let mut meters = std::mem::take(&mut month.meters);
    let now = desk.now;
    // Credits of the former currency get back what they paid.
    for (meter, record) in &meters {
        for (value, units) in &record.units {
            let used = nothing(meter, &units.by, value);
            charge(desk, (id, &mut month), &used, (-units.cost_micros, now), record.by_credits)?;
        }
    }
    month.uses.0.iter_mut().for_each(|used| used.at_use = None);
    // Nothing was ever paid in the former currency, or the account would still pay in it.
    month.carried_micros = 0;
    month.currency.clone_from(&currency);
    for (meter, record) in &mut meters {
        let included = Included::of(record.included);
        for (value, of_value) in &mut record.units {
            let used = nothing(meter, &of_value.by, value);
            price_in(of_value, &settings, (meter, value), &currency);
            of_value.cost_micros = 0;
            let change = of_value.charge(included);
            // Credits that come later pay for later usage only, as in the default currency.
            charge(desk, (id, &mut month), &used, (change, now), false)?;
        }
    }
    month.meters = meters;
    desk.account.put(id, month.clone());
    Ok(month)
}
