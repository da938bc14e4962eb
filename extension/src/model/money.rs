//! Amounts in millionths of a currency's unit, so that small prices are rounded to cents only once.

use extension_contract::guess::nearest;

/// ISO 4217 currencies without minor units at Stripe.
const NO_MINOR: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
/// Currencies with thousandths as minor units.
const THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// The currencies in which Stripe takes payments, by their codes of ISO 4217, sorted.
#[rustfmt::skip]
const CURRENCIES: [&str; 140] = [
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd", "bif",
    "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cve",
    "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq",
    "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf",
    "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop",
    "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk",
    "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle",
    "sos", "srd", "std", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "uyu",
    "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer", "zar", "zmw",
];
/// Currencies without minor units that Stripe writes with hundredths.
const WHOLE_ONLY: [&str; 2] = ["isk", "ugx"];

/// Returns whether Stripe takes payments in a currency.
pub(crate) fn is_currency(code: &str) -> bool {
    CURRENCIES.binary_search(&code).is_ok()
}

/// Returns the currency that a wrong code misspells.
pub(crate) fn currency_meant(code: &str) -> Option<&'static str> {
    let lower = code.to_lowercase();
    CURRENCIES.iter().find(|known| **known == lower).copied().or_else(|| nearest(&lower, CURRENCIES))
}

/// Returns the smallest amount that Stripe charges, in minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
pub(crate) fn smallest_charge(currency: &str) -> i64 {
    match currency {
        "gbp" => 30,
        "jpy" => 50,
        "aed" | "myr" | "pln" | "ron" => 200,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "hkd" => 400,
        "mxn" | "thb" => 1_000,
        "czk" => 1_500,
        "huf" => 17_500,
        other if NO_MINOR.contains(&other) => 1,
        other if THOUSANDTHS.contains(&other) => 100,
        _ => 50,
    }
}

/// Rounds an amount down to the precision that Stripe accepts (S96): thousandths end in 0, and currencies without minor
/// units at Stripe have whole units only.
pub(crate) fn sendable(minor: i64, currency: &str) -> i64 {
    let step = match (THOUSANDTHS.contains(&currency), WHOLE_ONLY.contains(&currency)) {
        (true, _) => 10,
        (_, true) => 100,
        _ => 1,
    };
    minor - minor.rem_euclid(step)
}

/// Returns the millionths in one minor unit: 10 000 for a cent.
pub(crate) fn micros_per_minor(currency: &str) -> i64 {
    match (NO_MINOR.contains(&currency), THOUSANDTHS.contains(&currency)) {
        (true, _) => 1_000_000,
        (_, true) => 1_000,
        _ => 10_000,
    }
}

/// Converts minor units to millionths, saturating.
pub(crate) fn to_micros(minor: i64, currency: &str) -> i64 {
    minor.saturating_mul(micros_per_minor(currency))
}

/// Converts millionths to minor units, rounding up.
pub(crate) fn to_minor_up(micros: i64, currency: &str) -> i64 {
    let per = micros_per_minor(currency);
    micros.div_euclid(per) + i64::from(micros.rem_euclid(per) > 0)
}

/// Returns `amount * part / total`, rounded down; all of `amount` if `part` is at least `total`.
pub(crate) fn part_of(amount: i64, part: i64, total: i64) -> i64 {
    if total <= 0 || part >= total {
        return if part > 0 { amount } else { 0 };
    }
    let exact = i128::from(amount) * i128::from(part.max(0)) / i128::from(total);
    i64::try_from(exact).unwrap_or(amount)
}

/// Returns `amount * part / total`, rounded toward zero. A part can be negative (a credit) or exceed the total (a line
/// beside a credit); the shares of all lines add up to the amount. If the total is 0, each share is 0.
pub(crate) fn share_of_total(amount: i64, part: i64, total: i64) -> i64 {
    match (amount == total, total) {
        // Without a discount or tax, each line is its own share, even if the lines add up to 0.
        (true, _) => part,
        (false, 0) => 0,
        (false, _) => i64::try_from(i128::from(amount) * i128::from(part) / i128::from(total)).unwrap_or(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_with_rules_of_its_own_is_one_of_all() {
        assert!(CURRENCIES.is_sorted());
        let special = NO_MINOR.iter().chain(&THOUSANDTHS).chain(&WHOLE_ONLY);
        for code in special.chain(&["usd", "eur", "zmw", "aed"]) {
            assert!(is_currency(code), "{code}");
        }
        assert_eq!(["usdd", "USD", "", "dollar"].map(is_currency), [false; 4]);
        assert_eq!(["usdd", "USD", "", "dollar"].map(currency_meant), [Some("usd"), Some("usd"), None, None]);
    }

    #[test]
    fn part_of_rounds_down_and_returns_all_for_the_total() {
        assert_eq!(part_of(5_000_000, 500, 500), 5_000_000);
        assert_eq!(part_of(5_000_000, 250, 500), 2_500_000);
        assert_eq!(part_of(5_000_000, 1, 3), 1_666_666);
        assert_eq!((part_of(5_000_000, 0, 500), part_of(5_000_000, 0, 0)), (0, 0));
        assert_eq!(part_of(5_000_000, 600, 500), 5_000_000);
    }

    #[test]
    fn shares_of_a_total_may_be_negative_and_beyond_it() {
        // A credit of 967 beside two lines of 1935, and the same invoice with a tenth off.
        assert_eq!([-967, 1_935, 1_935].map(|part| share_of_total(2_903, part, 2_903)), [-967, 1_935, 1_935]);
        assert_eq!([-967, 1_935].map(|part| share_of_total(2_613, part, 2_903)), [-870, 1_741]);
        assert_eq!([-500, 500].map(|part| share_of_total(0, part, 0)), [-500, 500]);
        assert_eq!(share_of_total(100, 500, 0), 0);
    }

    #[test]
    fn sendable_rounds_down_to_the_precision_of_the_currency() {
        for (minor, currency, expected) in [
            (1791, "usd", 1791),
            (1791, "jpy", 1791),
            (1791, "kwd", 1790),
            (1790, "kwd", 1790),
            (9, "tnd", 0),
            (2250, "isk", 2200),
            (99, "ugx", 0),
        ] {
            assert_eq!(sendable(minor, currency), expected, "{minor} {currency}");
        }
        assert_eq!(to_micros(5, "ugx"), 50_000, "Stripe writes it with hundredths");
    }

    #[test]
    fn to_minor_up_rounds_up() {
        assert_eq!((to_micros(5, "usd"), to_micros(5, "jpy"), to_micros(5, "kwd")), (50_000, 5_000_000, 5_000));
        for (micros, minor) in [(0, 0), (1, 1), (9_999, 1), (10_000, 1), (10_001, 2)] {
            assert_eq!(to_minor_up(micros, "usd"), minor, "{micros}");
        }
    }
}
