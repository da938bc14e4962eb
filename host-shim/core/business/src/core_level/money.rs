//! Reads amounts of money from the text of the file, never from a floating-point number: `12.00` in a currency with two digits.

use super::place::{From, entry};
use crate::template::digits;
use crate::yaml::{Checked, Checker, Entry, Node};

/// Decimals of the price of one unit of usage.
const UNIT_DECIMALS: u32 = 6;

/// Reads an amount with exactly the digits of its currency. Returns minor units.
pub(super) fn minor(check: &Checker, path: &str, node: &Node, currency: &str) -> Checked<i64> {
    let digits = digits(currency);
    read(check, path, node, currency, (digits, digits))
}

/// The currencies of a business; the first is the default.
pub(super) struct Currencies(Vec<String>);

impl Currencies {
    /// The currency of a business that names none.
    const USUAL: &'static str = "usd";

    /// Reads the policy `currency`: one or a list. What is wrong with it is reported with the other policies.
    pub fn of(policy: Option<&Node>) -> Currencies {
        let named: Vec<String> = match policy.and_then(Node::items) {
            Some(items) => items.iter().filter_map(Node::scalar).collect(),
            None => policy.and_then(Node::scalar).into_iter().collect(),
        };
        Currencies(if named.is_empty() { vec![Self::USUAL.to_owned()] } else { named })
    }

    /// Returns the default currency.
    pub fn default(&self) -> &str {
        self.0.first().map_or(Self::USUAL, String::as_str)
    }

    /// Returns the other currencies.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.0.iter().skip(1).map(String::as_str)
    }

    /// Returns a mistake unless the business has a currency.
    fn check_known(&self, check: &Checker, path: &str, amount: &Entry) -> Checked<()> {
        if self.0.contains(&amount.key) {
            return Ok(());
        }
        let problem = format!("`{path}.{}` is in no currency of the business", amount.key);
        let expected = match is_code(&amount.key) {
            true => format!("{}, or `currency: [{}, {}]`", self.0.join(" or "), self.0.join(", "), amount.key),
            false => self.0.join(" or "),
        };
        Err(check.bad(amount.place(), problem, expected))
    }

    /// Reads the price of one unit of usage in a currency: from a price in the default one, or from prices in each:
    /// `{usd: 0.010, eur: 0.009}`. Returns millionths of the currency's unit; none if there is no price in the currency.
    pub fn micros(&self, check: &Checker, path: &str, node: &Node, code: &str) -> Checked<Option<i64>> {
        let Some(entries) = node.entries().filter(|_| is_by_currency(node)) else {
            return match code == self.default() {
                true => micros(check, path, node, code).map(Some),
                false => Ok(None),
            };
        };
        check.every(entries, |amount| self.check_known(check, path, amount))?;
        let amount = entries.iter().find(|amount| amount.key == code);
        amount.map(|amount| micros(check, &format!("{path}.{code}"), &amount.value, code)).transpose()
    }

    /// Reads an amount in the default currency, or an amount in each: `{usd: 20.00, eur: 19.00}`. Returns minor units in the same
    /// form. `checked` refuses an amount.
    pub fn minor(
        &self,
        check: &Checker,
        path: &str,
        node: &Node,
        checked: impl Fn(&str, &Node, i64) -> Checked<i64>,
    ) -> Checked<Node> {
        let Some(entries) = node.entries().filter(|_| is_by_currency(node)) else {
            let minor = minor(check, path, node, self.default()).and_then(|minor| checked(path, node, minor))?;
            return Ok(From(node).int(minor));
        };
        let amounts: Vec<Entry> = check.each(entries, |amount| {
            self.check_known(check, path, amount)?;
            // A value of the configuration, which is filled in later.
            if amount.value.scalar().is_some_and(|text| text.starts_with("${")) {
                return Ok(entry(&amount.key, amount.value.clone()));
            }
            let path = format!("{path}.{}", amount.key);
            let minor = minor(check, &path, &amount.value, &amount.key)?;
            Ok(entry(&amount.key, From(&amount.value).int(checked(&path, &amount.value, minor)?)))
        })?;
        Ok(From(node).map(amounts))
    }
}

/// Returns whether a value has amounts in currencies: `{usd: 20.00, eur: 19.00}`.
pub(super) fn is_by_currency(node: &Node) -> bool {
    node.member("by").is_none() && node.entries().is_some_and(|entries| entries.iter().any(|entry| is_code(&entry.key)))
}

/// Returns whether a text has the form of a currency's code.
fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Reads the price of one unit of usage, which may have up to six decimals. Returns millionths of the currency's unit.
fn micros(check: &Checker, path: &str, node: &Node, currency: &str) -> Checked<i64> {
    read(check, path, node, currency, (digits(currency), UNIT_DECIMALS))
}

/// Reads a number with at least and at most so many decimals, and returns it as a whole number with the most decimals.
fn read(check: &Checker, path: &str, node: &Node, currency: &str, (least, most): (u32, u32)) -> Checked<i64> {
    let Some(text) = node.written() else {
        return Err(check.wrong(path, node, format!("an amount in {currency}, such as {}", sample(least))));
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let is_number = is_digits(whole) && (!text.contains('.') || is_digits(decimals));
    let count = u32::try_from(decimals.len()).unwrap_or(u32::MAX);
    let number = format!("{whole}{decimals:0<width$}", width = most as usize).parse();
    match number {
        Ok(number) if is_number && (least..=most).contains(&count) => Ok(number),
        _ => {
            let expected = match is_number && count < least {
                true => format!("{whole}.{decimals:0<width$}", width = least as usize),
                false if least == most => format!("an amount such as {}", sample(least)),
                false => format!("an amount with {least} to {most} decimals, such as {}", sample(least)),
            };
            Err(check.bad(node.place(), format!("`{path}: {text}` is not an amount in {currency}"), expected))
        }
    }
}

/// Returns twelve of a currency's units.
fn sample(digits: u32) -> String {
    match digits {
        0 => "12".to_owned(),
        digits => format!("12.{:0<width$}", "", width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn with(text: &str, read: impl Fn(&Checker, &Node) -> Checked<i64>) -> Result<i64, String> {
        let node = Node::parse(Path::new("c.yml"), text).expect("valid YAML");
        Checker::read(|check| read(check, &node)).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn an_amount_has_exactly_the_digits_of_its_currency() {
        for (text, currency, expected) in [
            ("12.00", "usd", Ok(1_200)),
            ("0.99", "eur", Ok(99)),
            ("'12.00'", "usd", Ok(1_200)),
            ("90071992547409.93", "usd", Ok(9_007_199_254_740_993)),
            ("1200", "jpy", Ok(1_200)),
            ("1.250", "kwd", Ok(1_250)),
            ("12", "usd", Err("`price: 12` is not an amount in usd; expected 12.00")),
            ("12.5", "usd", Err("`price: 12.5` is not an amount in usd; expected 12.50")),
            ("12.005", "usd", Err("`price: 12.005` is not an amount in usd; expected an amount such as 12.00")),
            ("12.00", "jpy", Err("`price: 12.00` is not an amount in jpy; expected an amount such as 12")),
            ("-1.00", "usd", Err("`price: -1.00` is not an amount in usd; expected an amount such as 12.00")),
            ("1e3", "usd", Err("`price: 1e3` is not an amount in usd; expected an amount such as 12.00")),
            ("$12", "usd", Err("`price: $12` is not an amount in usd; expected an amount such as 12.00")),
            ("[1]", "usd", Err("`price` is a list; expected an amount in usd, such as 12.00")),
        ] {
            let read = with(text, |check, node| minor(check, "price", node, currency));
            assert_eq!(read, expected.map_err(|told| format!("c.yml:1: {told}")), "{text} {currency}");
        }
    }

    #[test]
    fn the_price_of_a_unit_has_up_to_six_decimals() {
        for (text, expected) in [
            ("0.01", Ok(10_000)),
            ("0.000015", Ok(15)),
            ("2.50", Ok(2_500_000)),
            ("0.0000015", Err("expected an amount with 2 to 6 decimals, such as 12.00")),
            ("0.5", Err("expected 0.50")),
        ] {
            let read = with(text, |check, node| micros(check, "price", node, "usd"));
            let found = read.map_err(|told| told.split("; ").last().unwrap_or_default().to_owned());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
