//! Names that stand in mails to others. A mail program makes a link of anything that looks like an address, so names have none.

/// Characters that browsers read as the dot of a host name.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// Returns true for a text with something that a mail program could show as a link: an e-mail address, a URL, a host name or an IP
/// address.
pub fn leads_elsewhere(text: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || "()[]<>{},;:!?\"'/\\|".contains(c);
    text.contains('@') || text.contains("://") || text.split(is_separator).any(is_host)
}

/// Returns true for `evil.example` and `127.0.0.1`, but not for `Inc.`, `B.V.` and `3.5`.
fn is_host(word: &str) -> bool {
    let mut labels: Vec<&str> = word.split(DOTS).collect();
    // A full stop at the end of a sentence.
    if labels.last().is_some_and(|last| last.is_empty()) {
        labels.pop();
    }
    let (Some(last), true) = (labels.last(), labels.iter().all(|label| !label.is_empty())) else { return false };
    let is_domain = labels.len() > 1 && last.chars().count() > 1 && last.chars().all(|c| c.is_alphabetic() || c == '-');
    let is_punycode = labels.len() > 1 && last.to_ascii_lowercase().starts_with("xn--");
    let is_ipv4 = labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    is_domain || is_punycode || is_ipv4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_address_or_a_link_leads_elsewhere() {
        for name in [
            "URGENT: pay at https://evil.example/pay",
            "evil.example",
            "Choir (www.evil.example)",
            "write to eve@evil.example",
            "eve@evil",
            "log in: evil.example.",
            "pay at evil.example/now!",
            "evil\u{3002}example",
            "\u{440}\u{444}.\u{440}\u{444}",
            "x.xn--p1ai",
            "10.0.0.1",
            "ftp://evil",
        ] {
            assert!(leads_elsewhere(name), "{name}");
        }
        for name in [
            "Choir",
            "Acme Inc.",
            "Example B.V.",
            "S.p.A.",
            "Studio 3.5",
            "AC/DC",
            "Yes! Let's",
            "Ltd. & Co",
            "\u{5408}\u{5531}\u{56e3}",
            "...",
            "a..b",
        ] {
            assert!(!leads_elsewhere(name), "{name}");
        }
    }
}
