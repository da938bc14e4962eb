//! Names that appear in mails to other people. A mail program turns anything that looks like an address into a link, so names must not
//! contain any.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Characters that browsers treat as the dot of a host name, after compatibility forms such as `．` and `․` have become a dot.
const DOTS: [char; 2] = ['.', '\u{3002}'];
/// Number of parts of an IPv4 address.
const IPV4_PARTS: usize = 4;

/// Returns true for a string that may appear in a mail to somebody else: it contains no e-mail address, URL, host name or IP address,
/// which a mail program could show as a link, and all of its characters are visible.
pub fn fits_in_mail(text: &str) -> bool {
    let plain: String = text.nfkc().collect();
    let is_word = |c: char| c.is_alphanumeric() || is_mark(c) || c == '-' || DOTS.contains(&c);
    let leads_elsewhere = plain.contains('@') || plain.contains("://") || plain.split(|c| !is_word(c)).any(has_host);
    !leads_elsewhere && !text.chars().any(is_unseen)
}

/// Returns true for an invisible character that changes how a text is read or where a line ends.
pub(crate) fn is_unseen(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    matches!(c.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

/// Returns true for `evil.example`, `x.evil.example.5` and `127.0.0.1`, but not for `Inc.`, `B.V.`, `No.5` and `3.5`: after a dot, a
/// single letter or a number is part of an abbreviation or of a number.
fn has_host(word: &str) -> bool {
    let labels: Vec<&str> = word.split(DOTS).collect();
    let is_part = |label: &str| label.chars().count() < 2 || label.bytes().all(|byte| byte.is_ascii_digit());
    let is_domain = labels.windows(2).any(|pair| {
        !pair[0].is_empty() && pair[1].starts_with(|first: char| first.is_alphanumeric()) && !is_part(pair[1])
    });
    let is_byte = |label: &&str| label.parse::<u8>().is_ok();
    is_domain || labels.windows(IPV4_PARTS).any(|parts| parts.iter().all(is_byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_with_an_address_a_link_or_an_unseen_character_does_not_fit() {
        for name in [
            "URGENT: pay at https://evil.example/pay",
            "evil.example",
            "Choir (www.evil.example)",
            "write to eve@evil.example",
            "write to eve\u{ff20}evil",
            "eve@evil",
            "log in: evil.example.",
            "pay at evil.example/now!",
            "*evil.example*",
            "evil.example#now",
            "\u{201c}www.evil.example\u{201d}",
            "evil.example\u{2014}log in",
            "=evil.example&",
            "\u{bf}evil.example",
            "evil.example.5",
            "evil.c\u{301}om",
            "evil\u{3002}example",
            "evil\u{ff0e}example",
            "evil\u{2024}example",
            "evil\u{fe52}example",
            "evil\u{2488}example",
            "\u{440}\u{444}.\u{440}\u{444}",
            "x.xn--p1ai",
            "10.0.0.1",
            "at 10.0.0.1:80",
            "ftp://evil",
            "Cho\u{200b}ir",
            "Choir\u{2028}Pay now",
            "Choir\u{2029}Pay now",
            "\u{202e}riohC",
            "Choir\u{ad}",
            "Choir\nPay now",
        ] {
            assert!(!fits_in_mail(name), "{name:?}");
        }
        for name in [
            "Choir",
            "Acme Inc.",
            "Example B.V.",
            "S.p.A.",
            "Studio 3.5",
            "No.5",
            "1.000.000 Choirs",
            "AC/DC",
            "Yes! Let's",
            "Ltd. & Co",
            "Stra\u{df}e #1 *new*",
            "\u{5408}\u{5531}\u{56e3}",
            "\u{930}\u{93e}\u{92e} & Co.",
            "...",
            "a..b",
            "and so on\u{2026}",
        ] {
            assert!(fits_in_mail(name), "{name:?}");
        }
    }

    proptest! {
        /// A host name is found whatever surrounds it: only letters, digits, hyphens and dots belong to it.
        #[test]
        fn nothing_around_a_host_name_hides_it(
            before in any::<char>(), host in "[a-z][a-z0-9-]{0,10}\\.[a-z]{2,10}", after in any::<char>(),
        ) {
            let name = format!("Pay {before}{host}{after} now");
            prop_assert!(!fits_in_mail(&name));
        }

        #[test]
        fn words_without_dots_fit(name in "[A-Za-z0-9\u{e0}-\u{f6}]{1,10}([ ,&#*+_-][A-Za-z0-9]{1,10}){0,5}[.!?]?") {
            prop_assert!(fits_in_mail(&name));
        }
    }
}
