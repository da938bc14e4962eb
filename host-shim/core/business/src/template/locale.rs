//! How money, numbers and dates look in the reader's locale. The words of pages and mails are those of their files.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A format for numbers and dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    /// Language tag.
    pub tag: &'static str,
    group: char,
    point: char,
    is_symbol_first: bool,
    date: &'static str,
}

const fn locale(tag: &'static str, group: char, point: char, is_symbol_first: bool, date: &'static str) -> Locale {
    Locale { tag, group, point, is_symbol_first, date }
}

/// A narrow no-break space.
const NARROW: char = '\u{202f}';
/// Supported locales; the first is the default. Separators and orders follow CLDR 46.
const LOCALES: [Locale; 10] = [
    locale("en-US", ',', '.', true, "%b %-d, %Y"),
    locale("en-GB", ',', '.', true, "%-d %b %Y"),
    locale("de-CH", '’', '.', true, "%d.%m.%Y"),
    locale("de", '.', ',', false, "%d.%m.%Y"),
    locale("es", '.', ',', false, "%-d/%-m/%Y"),
    locale("fr", NARROW, ',', false, "%d/%m/%Y"),
    locale("it", '.', ',', false, "%d/%m/%Y"),
    locale("ja", ',', '.', true, "%Y/%m/%d"),
    locale("nl", '.', ',', true, "%-d-%-m-%Y"),
    locale("pt", '.', ',', true, "%d/%m/%Y"),
];
/// Currencies without minor units, or with thousandths (ISO 4217).
const DIGITS: [(&str, u32); 19] = [
    ("bif", 0),
    ("clp", 0),
    ("djf", 0),
    ("gnf", 0),
    ("jpy", 0),
    ("kmf", 0),
    ("krw", 0),
    ("mga", 0),
    ("pyg", 0),
    ("rwf", 0),
    ("ugx", 0),
    ("vnd", 0),
    ("vuv", 0),
    ("xaf", 0),
    ("xof", 0),
    ("xpf", 0),
    ("bhd", 3),
    ("kwd", 3),
    ("jod", 3),
];
/// Currency symbols; other currencies are shown by their code.
const SYMBOLS: [(&str, &str); 5] = [("usd", "$"), ("eur", "€"), ("gbp", "£"), ("jpy", "¥"), ("inr", "₹")];

/// Returns the number of digits of a currency's minor unit; the currency is in lower case.
pub(crate) fn digits(currency: &str) -> u32 {
    DIGITS.iter().find(|(code, _)| *code == currency).map_or(2, |(_, digits)| *digits)
}

impl Locale {
    /// Returns the default locale.
    pub fn usual() -> Locale {
        LOCALES[0]
    }

    /// Returns the first known locale in an `Accept-Language` header. Weights are ignored, since browsers list the preferred ones
    /// first.
    pub fn accepted(header: &str) -> Locale {
        let wanted =
            header.split(',').map(|part| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let known = |tag: &str| {
            let language = tag.split('-').next().unwrap_or_default();
            let is = |locale: &&Locale, tag: &str| locale.tag.eq_ignore_ascii_case(tag);
            let of_language = |locale: &&Locale| locale.tag.split('-').next() == Some(language);
            let found = LOCALES
                .iter()
                .find(|locale| is(locale, tag))
                .or_else(|| LOCALES.iter().find(|locale| is(locale, language)));
            found.or_else(|| LOCALES.iter().find(of_language)).copied()
        };
        wanted.take(10).find_map(|tag| known(&tag)).unwrap_or(LOCALES[0])
    }

    /// Returns the locale with this tag, or the default.
    pub fn tagged(tag: &str) -> Locale {
        LOCALES.iter().find(|locale| locale.tag == tag).copied().unwrap_or(LOCALES[0])
    }

    /// Formats an integer.
    pub fn number(&self, number: i64) -> String {
        let digits = number.unsigned_abs().to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(self.group);
            }
            text.push(digit);
        }
        if number < 0 { format!("−{text}") } else { text }
    }

    /// Formats an amount in millionths of a currency's unit, truncated to whole minor units.
    pub fn micros(&self, micros: i64, currency: &str) -> String {
        let of_minor = 10_i64.pow(6_u32.saturating_sub(digits(&currency.to_ascii_lowercase())));
        match micros / of_minor {
            0 if micros > 0 => format!("less than {}", self.money(1, currency)),
            minor => self.money(minor, currency),
        }
    }

    /// Formats an amount in minor units of a currency.
    pub fn money(&self, minor: i64, currency: &str) -> String {
        let currency = currency.to_ascii_lowercase();
        let digits = digits(&currency);
        let unit = 10_u64.pow(digits);
        let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        let mut number = self.number(i64::try_from(whole).unwrap_or(i64::MAX));
        if digits > 0 {
            number = format!("{number}{}{part:0width$}", self.point, width = digits as usize);
        }
        let sign = if minor < 0 { "−" } else { "" };
        let symbol = SYMBOLS.iter().find(|(code, _)| *code == currency).map(|(_, symbol)| *symbol);
        match (symbol, self.is_symbol_first) {
            (Some(symbol), true) => format!("{sign}{symbol}{number}"),
            (Some(symbol), false) => format!("{sign}{number}\u{a0}{symbol}"),
            (None, true) => format!("{sign}{}\u{a0}{number}", currency.to_ascii_uppercase()),
            (None, false) => format!("{sign}{number}\u{a0}{}", currency.to_ascii_uppercase()),
        }
    }

    /// Formats millionths of a currency's unit with all their digits, at least those of the currency: `$0.0083`.
    pub fn exact(&self, micros: i64, currency: &str) -> String {
        let digits = digits(&currency.to_ascii_lowercase());
        let minor = micros / 10_i64.pow(6 - digits);
        let part = format!("{:06}", micros.unsigned_abs() % 1_000_000);
        let more = part[digits as usize..].trim_end_matches('0');
        let shown = self.money(minor, currency);
        // The further digits follow the last digit of the amount.
        let end = shown.rfind(|c: char| c.is_ascii_digit()).map_or(shown.len(), |at| at + 1);
        let point = if digits == 0 && !more.is_empty() { self.point.to_string() } else { String::new() };
        format!("{}{point}{more}{}", &shown[..end], &shown[end..])
    }

    /// Formats the day of an RFC 3339 time, in UTC; none if the string is not one.
    pub fn date(&self, time: &str) -> Option<String> {
        time.parse().ok().map(|time| self.day(time))
    }

    /// Formats the day of a time in milliseconds since the epoch, in UTC; none if it is out of range.
    pub fn date_of(&self, time_ms: i64) -> Option<String> {
        Timestamp::from_millisecond(time_ms).ok().map(|time| self.day(time))
    }

    /// Formats the day and the minute of an RFC 3339 time, in UTC; none if the string is not one.
    pub fn minute(&self, time: &str) -> Option<String> {
        let time: Timestamp = time.parse().ok()?;
        Some(format!("{}, {}", self.day(time), time.to_zoned(TimeZone::UTC).strftime("%H:%M UTC")))
    }

    /// Returns the language of a tag: `de` of `de-CH`.
    pub fn language(&self) -> &'static str {
        self.tag.split('-').next().unwrap_or(self.tag)
    }

    fn day(&self, time: Timestamp) -> String {
        time.to_zoned(TimeZone::UTC).strftime(self.date).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_and_dates_are_written_as_where_the_reader_is() {
        for (header, amount, currency, money, date) in [
            ("en-US,en;q=0.9", 1_234_567, "usd", "$12,345.67", "Jan 31, 2026"),
            ("en-GB", 5, "GBP", "£0.05", "31 Jan 2026"),
            ("de-DE,de;q=0.9,en;q=0.8", 123_450, "eur", "1.234,50\u{a0}€", "31.01.2026"),
            ("de-CH", -123_450, "chf", "−CHF\u{a0}1’234.50", "31.01.2026"),
            ("fr", 1_000_000, "eur", "10\u{202f}000,00\u{a0}€", "31/01/2026"),
            ("ja", 1_500, "jpy", "¥1,500", "2026/01/31"),
            ("xx, nl", 1_999, "kwd", "KWD\u{a0}1,999", "31-1-2026"),
            ("", 100, "usd", "$1.00", "Jan 31, 2026"),
        ] {
            let locale = Locale::accepted(header);
            assert_eq!(locale.money(amount, currency), money, "{header}");
            assert_eq!(locale.date("2026-01-31T23:59:59Z").as_deref(), Some(date), "{header}");
        }
        let exact = [
            (8_300, "usd"),
            (10_000, "usd"),
            (1_234_567, "eur"),
            (1_500_000, "jpy"),
            (2_000_000, "jpy"),
            (1_250_500, "kwd"),
        ];
        let shown = exact.map(|(micros, currency)| Locale::usual().exact(micros, currency));
        assert_eq!(shown, ["$0.0083", "$0.01", "€1.234567", "¥1.5", "¥2", "KWD\u{a0}1.2505"]);
        assert_eq!((Locale::usual().number(-1_000), Locale::usual().date("today")), ("−1,000".into(), None));
    }
}
