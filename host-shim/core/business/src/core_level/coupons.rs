//! The clause `coupons`: discounts with codes. The full level has the same members, with amounts in minor units.

use super::money::Currencies;
use super::place::{From, entry};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};

/// The members of a coupon, and that of the full level.
const MEMBERS: [&str; 8] =
    ["percent", "amount", "months", "forever", "products", "max_redemptions", "until", AMOUNT_MINOR];
/// The amount in the full level.
const AMOUNT_MINOR: &str = "amount_minor";

/// Translates the clause.
pub(super) fn read(check: &Checker, clause: &Entry, currencies: &Currencies) -> Checked<Entry> {
    let coupons: Vec<Entry> = check.each(check.map(&clause.key, &clause.value)?, |coupon| {
        let path = format!("{}.{}", clause.key, coupon.key);
        let members = check.map(&path, &coupon.value)?;
        check.only_known(&format!("`{path}`"), members, &MEMBERS)?;
        let translated: Vec<Entry> =
            check.each(members, |member| match (member.key.as_str(), &member.value.value) {
                ("amount", _) => {
                    let path = format!("{path}.amount");
                    let amount = currencies.minor(check, &path, &member.value, |_, _, minor| Ok(minor))?;
                    Ok(entry(AMOUNT_MINOR, amount))
                }
                ("percent", Tree::Float(_)) => {
                    let text = member.value.written().unwrap_or_default();
                    Ok(entry("percent", From(&member.value).text(text)))
                }
                _ => Ok(member.clone()),
            })?;
        Ok(with(coupon, From(&coupon.value).map(translated)))
    })?;
    Ok(with(clause, From(&clause.value).map(coupons)))
}

/// Returns an entry with another value.
fn with(written: &Entry, value: Node) -> Entry {
    Entry { value, ..written.clone() }
}
