//! The clause `coupons`: discounts that customers get with a code. Each becomes a coupon at Stripe with one promotion code. Neither
//! can be changed there, so a changed discount replaces them, and whoever has the former discount keeps it.

use super::currencies::{Currencies, OtherAmounts, check_all_named, read_amount, stored_amount};
use super::mistakes::Mistakes;
use super::per_million::{DecimalVisitor, millionths, write_millionths};
use super::price::ProductPrice;
use super::span::TextVisitor;
use super::words::one_of;
use crate::model::time::{DAY_MS, date, parse_rfc3339};
use extension_contract::pointer::escaped;
use extension_contract::{FieldErrorCode, Timestamp};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The coupons of a catalog by their codes.
pub(crate) type Coupons = BTreeMap<String, Coupon>;

/// The most coupons of a catalog. Each decision reads them with the policies.
pub(crate) const COUPONS_MAX: usize = 100;
/// The most characters of a code.
const CODE_CHARS_MAX: usize = 40;
/// The most months of a discount, at Stripe (`duration_in_months`).
const MONTHS_MAX: u32 = 1_200;
/// The most redemptions that can be counted, at Stripe (`max_redemptions`).
const REDEMPTIONS_MAX: u32 = 1_000_000_000;

/// A discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coupon {
    /// The part of the price that is not charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Percent>,
    /// The amount that is not charged, in minor units: one in the default currency, or one for each currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<CouponAmount>,
    /// For how many months a subscription is discounted; by default only its first invoice is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
    /// Whether every invoice of a subscription is discounted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forever: bool,
    /// Ids of the products that are discounted; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// How often the code can be used; without limit by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_redemptions: Option<u32>,
    /// The last day on which the code can be used, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
}

impl Coupon {
    /// Returns what the coupon takes off an amount in a currency, in minor units; a percentage is rounded to the nearest unit.
    pub fn off_minor(&self, amount: i64, currency: &str, default: &str) -> i64 {
        let by_percent = self.percent.map(|Percent(millionths)| {
            let exact = i128::from(amount.max(0)) * i128::from(millionths) + 50_000_000;
            i64::try_from(exact / 100_000_000).unwrap_or(amount)
        });
        let by_amount = || {
            let (main, others) = self.amount_minor.as_ref()?.amounts(default)?;
            if currency == default { Some(main) } else { others.get(currency).copied() }
        };
        by_percent.or_else(by_amount).unwrap_or(0).clamp(0, amount.max(0))
    }

    /// Returns Stripe's name of the time for which a subscription is discounted.
    pub fn duration(&self) -> &'static str {
        match (self.forever, self.months) {
            (true, _) => "forever",
            (false, Some(_)) => "repeating",
            (false, None) => "once",
        }
    }
}

/// An amount in minor units of the default currency, or amounts by currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct CouponAmount(Value);

impl CouponAmount {
    /// Returns the amount in the default currency and those in others.
    pub fn amounts(&self, default: &str) -> Option<(i64, OtherAmounts)> {
        read_amount(&self.0, default)
    }
}

impl<'de> Deserialize<'de> for CouponAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = CouponAmount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("minor units, or an object of minor units by currency")
            }

            fn visit_i64<E: de::Error>(self, minor: i64) -> Result<CouponAmount, E> {
                Ok(CouponAmount(Value::from(minor)))
            }

            fn visit_u64<E: de::Error>(self, minor: u64) -> Result<CouponAmount, E> {
                Ok(CouponAmount(Value::from(minor)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut amounts: A) -> Result<CouponAmount, A::Error> {
                let mut all = OtherAmounts::new();
                while let Some((currency, minor)) = amounts.next_entry()? {
                    all.insert(currency, minor);
                }
                Ok(CouponAmount(serde_json::json!(all)))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// A percentage above 0 and up to 100 with at most two decimals, in millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(i64);

impl Percent {
    /// Parses a decimal such as `12.5`; `None` if it has another form or is out of range.
    fn parse(text: &str) -> Option<Percent> {
        millionths(text, 2).filter(|millionths| (1..=100_000_000).contains(millionths)).map(Percent)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_millionths(self.0, f)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a percentage up to 100 with at most two decimals, such as 50 or \"12.5\"";
        deserializer.deserialize_any(DecimalVisitor { read: Percent::parse, expected })
    }
}

/// A day in UTC, written as `2027-03-31`: the time of its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day(Timestamp);

impl Day {
    /// Parses a date; `None` if it has another form or does not exist.
    fn parse(text: &str) -> Option<Day> {
        parse_rfc3339(&format!("{text}T00:00:00Z")).filter(|at| date(*at) == text).map(Day)
    }

    /// Returns the time at which the day begins.
    pub fn begin(self) -> Timestamp {
        self.0
    }

    /// Returns the time at which the day is over.
    pub fn end(self) -> Timestamp {
        self.0.saturating_add(DAY_MS)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date(self.0))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { read: Day::parse, expected: "a day, such as 2027-03-31" })
    }
}

/// Checks the clause. `sold` has the products on sale with their prices.
pub(crate) fn check(
    coupons: &Coupons,
    currencies: &Currencies,
    sold: &BTreeMap<String, Vec<ProductPrice>>,
    mistakes: &mut Mistakes,
) {
    if coupons.len() > COUPONS_MAX {
        let found = format!("{} coupons", coupons.len());
        mistakes.add("/coupons", FieldErrorCode::OutOfRange, found, format!("at most {COUPONS_MAX}"));
    }
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for (code, coupon) in coupons {
        let path = format!("/coupons/{}", escaped(code));
        let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if code.is_empty() || code.len() > CODE_CHARS_MAX || !code.bytes().all(is_code) {
            let expected = format!("1 to {CODE_CHARS_MAX} letters, digits and dashes, such as LAUNCH50");
            mistakes.add(&path, FieldErrorCode::BadFormat, format!("`{code}` is not a code"), expected);
        }
        if let Some(other) = known.insert(code.to_lowercase(), code) {
            let found = format!("`{other}` is the same code: the case of letters does not count");
            mistakes.add(&path, FieldErrorCode::Taken, found, "another code");
        }
        check_terms(coupon, currencies, &path, mistakes);
        check_products(coupon, &path, sold, mistakes);
    }
}

/// Checks what a coupon says by itself.
fn check_terms(coupon: &Coupon, currencies: &Currencies, path: &str, mistakes: &mut Mistakes) {
    let expected = "one of `percent`, such as 50, and `amount`, such as 10.00";
    match (coupon.percent, &coupon.amount_minor) {
        (None, None) => mistakes.add(path, FieldErrorCode::Missing, "the coupon gives no discount", expected),
        (Some(_), Some(_)) => mistakes.wrong(path, "`percent` and `amount` are two discounts", expected),
        (None, Some(amount)) => {
            let path = format!("{path}/amount_minor");
            if let Some(stored) = stored_amount(&amount.0, currencies, 1, &path, mistakes) {
                check_all_named(&stored, currencies, &path, mistakes);
            }
        }
        _ => {}
    }
    if coupon.months.is_some_and(|months| !(1..=MONTHS_MAX).contains(&months)) {
        mistakes.add(&format!("{path}/months"), FieldErrorCode::OutOfRange, "", format!("1 to {MONTHS_MAX}"));
    }
    if coupon.forever && coupon.months.is_some() {
        let found = "`months` and `forever` are two lengths of the discount";
        mistakes.wrong(&format!("{path}/months"), found, "one of them, or neither for the first invoice");
    }
    if coupon.max_redemptions.is_some_and(|count| !(1..=REDEMPTIONS_MAX).contains(&count)) {
        let expected = format!("1 to {REDEMPTIONS_MAX}");
        mistakes.add(&format!("{path}/max_redemptions"), FieldErrorCode::OutOfRange, "", expected);
    }
}

/// Checks that there is something to discount, and something to discount again.
fn check_products(coupon: &Coupon, path: &str, sold: &BTreeMap<String, Vec<ProductPrice>>, mistakes: &mut Mistakes) {
    let names: Vec<&str> = sold.keys().map(String::as_str).collect();
    let mut are_known = true;
    for (index, product) in coupon.products.iter().enumerate() {
        let place = format!("{path}/products/{index}");
        if coupon.products.iter().take(index).any(|before| before == product) {
            mistakes.add(&place, FieldErrorCode::Taken, format!("`{product}` is named twice"), "each product once");
        } else if !sold.contains_key(product) {
            are_known = false;
            mistakes.unknown_in(path, &place, product, "is not sold for money", one_of(&names));
        }
    }
    let mut of_products = sold.iter().filter(|(id, _)| coupon.products.is_empty() || coupon.products.contains(id));
    let recurs = of_products.any(|(_, prices)| prices.iter().any(|price| price.interval.billing().is_some()));
    let member = if coupon.forever { "forever" } else { "months" };
    if (coupon.forever || coupon.months.is_some()) && are_known && !recurs {
        let found = "what it discounts is paid once";
        mistakes.absent(&["products", "product_types"], &format!("{path}/{member}"), found, format!("no `{member}`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::price::Interval;
    use crate::model::halt::Halt;
    use extension_contract::{Money, Refusal};
    use serde_json::json;

    fn read(coupon: &Value) -> Result<Coupon, String> {
        extension_reader::from_str(&coupon.to_string()).map_err(|error| error.to_string())
    }

    fn mistakes_in(code: &str, coupon: Value) -> Vec<String> {
        let price = |interval| ProductPrice {
            interval,
            amount: Money { amount_minor: 1_200, currency: "usd".to_owned() },
            others: OtherAmounts::new(),
            id: None,
        };
        let sold = BTreeMap::from([
            ("studio".to_owned(), vec![price(Interval::Month)]),
            ("pack".to_owned(), vec![price(Interval::Once)]),
        ]);
        let mut mistakes = Mistakes::default();
        check(
            &BTreeMap::from([(code.to_owned(), read(&coupon).expect("a coupon"))]),
            &Currencies::of("usd"),
            &sold,
            &mut mistakes,
        );
        match mistakes.finish() {
            Err(Halt::Refused(Refusal::Invalid(errors))) => errors.into_iter().map(|error| error.path).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn percentages_are_exact_and_written_as_they_are_read() {
        for (text, written) in [("50", "50"), ("12.5", "12.5"), ("33.33", "33.33"), ("0.01", "0.01"), ("100.00", "100")]
        {
            let percent = Percent::parse(text).expect(text);
            assert_eq!((percent.to_string().as_str(), Percent::parse(written)), (written, Some(percent)));
        }
        for bad in ["0", "0.00", "100.01", "12.345", "-1", "1e1", ".5", "5.", "", "101"] {
            assert_eq!(Percent::parse(bad), None, "{bad}");
        }
        assert_eq!(read(&json!({"percent": 50})), read(&json!({"percent": "50"})));
        for bad in [json!(0), json!(-5), json!(101), json!("half"), json!(12.5), json!(null)] {
            assert!(read(&json!({"percent": bad.clone()})).is_err() || bad.is_null(), "{bad}");
        }
    }

    #[test]
    fn a_code_can_be_used_to_the_end_of_its_last_day() {
        let until = read(&json!({"percent": 5, "until": "2027-03-31"})).expect("a coupon").until.expect("a day");
        assert_eq!(Some(until.end()), parse_rfc3339("2027-04-01T00:00:00Z"));
        assert_eq!(serde_json::to_value(until).ok(), Some(json!("2027-03-31")));
        for bad in ["2027-02-30", "2027-3-31", "31.03.2027", "2027-03-31T00:00:00Z", ""] {
            assert!(read(&json!({"percent": 5, "until": bad})).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_coupon_gives_one_discount_on_something_that_is_sold() {
        for (code, coupon) in [
            ("LAUNCH50", json!({"percent": 50, "months": 3})),
            ("ten-off", json!({"amount_minor": 1_000, "products": ["pack"], "max_redemptions": 100})),
            ("FRIENDS", json!({"percent": "12.5", "forever": true, "products": ["studio", "pack"]})),
        ] {
            assert_eq!(mistakes_in(code, coupon), Vec::<String>::new(), "{code}");
        }
        for (code, coupon, place) in [
            ("LAUNCH 50", json!({"percent": 50}), "/coupons/LAUNCH 50"),
            ("", json!({"percent": 50}), "/coupons/"),
            ("A", json!({}), "/coupons/A"),
            ("A", json!({"percent": 50, "amount_minor": 5}), "/coupons/A"),
            ("A", json!({"amount_minor": 0}), "/coupons/A/amount_minor"),
            ("A", json!({"percent": 50, "months": 0}), "/coupons/A/months"),
            ("A", json!({"percent": 50, "months": 3, "forever": true}), "/coupons/A/months"),
            ("A", json!({"percent": 50, "months": 3, "products": ["pack"]}), "/coupons/A/months"),
            ("A", json!({"percent": 50, "forever": true, "products": ["pack"]}), "/coupons/A/forever"),
            ("A", json!({"percent": 50, "max_redemptions": 0}), "/coupons/A/max_redemptions"),
            ("A", json!({"percent": 50, "products": ["studo"]}), "/coupons/A/products/0"),
            ("A", json!({"percent": 50, "products": ["pack", "pack"]}), "/coupons/A/products/1"),
        ] {
            assert_eq!(mistakes_in(code, coupon.clone()), [place], "{coupon}");
        }
    }

    #[test]
    fn codes_that_differ_in_case_only_are_the_same() {
        let coupon = read(&json!({"percent": 5})).expect("a coupon");
        let two = BTreeMap::from([("Launch".to_owned(), coupon.clone()), ("LAUNCH".to_owned(), coupon)]);
        let mut mistakes = Mistakes::default();
        check(&two, &Currencies::of("usd"), &BTreeMap::new(), &mut mistakes);
        assert!(mistakes.is_wrong("/coupons/Launch"));
    }
}
