//! The standard tax rates of countries, provinces and states.
//!
//! Sources, all as of January 2026: for the European Union the Commission's table of standard VAT rates; for other countries their tax
//! offices' general rate; for Canada the Canada Revenue Agency and the provinces; for the United States the rate of the state alone, without
//! counties, cities and districts (California with its uniform local rate).

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The ISO code of the country.
    pub country: &'static str,
    /// The code of the state or province; empty for a rate of the whole country.
    pub state: &'static str,
    /// The type of the tax, as in `tax_rate.tax_type`.
    pub kind: &'static str,
    /// The name that customers see.
    pub name: &'static str,
    /// The percentage in decimal digits.
    pub percentage: &'static str,
}

const fn country(country: &'static str, kind: &'static str, name: &'static str, percentage: &'static str) -> Rate {
    Rate { country, state: "", kind, name, percentage }
}

const fn vat(country: &'static str, percentage: &'static str) -> Rate {
    Rate { country, state: "", kind: "vat", name: "VAT", percentage }
}

const fn canada(state: &'static str, kind: &'static str, name: &'static str, percentage: &'static str) -> Rate {
    Rate { country: "CA", state, kind, name, percentage }
}

const fn sales(state: &'static str, percentage: &'static str) -> Rate {
    Rate { country: "US", state, kind: "sales_tax", name: "Sales Tax", percentage }
}

/// The countries of the European Union, which a single registration for the One Stop Shop covers.
pub const EUROPEAN_UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The rates. A place may have several, such as GST and QST in Quebec.
pub const RATES: &[Rate] = &[
    vat("AT", "20"),
    vat("BE", "21"),
    vat("BG", "20"),
    vat("CY", "19"),
    vat("CZ", "21"),
    vat("DE", "19"),
    vat("DK", "25"),
    vat("EE", "24"),
    vat("ES", "21"),
    vat("FI", "25.5"),
    vat("FR", "20"),
    vat("GR", "24"),
    vat("HR", "25"),
    vat("HU", "27"),
    vat("IE", "23"),
    vat("IT", "22"),
    vat("LT", "21"),
    vat("LU", "17"),
    vat("LV", "21"),
    vat("MT", "18"),
    vat("NL", "21"),
    vat("PL", "23"),
    vat("PT", "23"),
    vat("RO", "21"),
    vat("SE", "25"),
    vat("SI", "22"),
    vat("SK", "23"),
    country("AU", "gst", "GST", "10"),
    country("CH", "vat", "VAT", "8.1"),
    country("GB", "vat", "VAT", "20"),
    country("JP", "jct", "JCT", "10"),
    country("NO", "vat", "VAT", "25"),
    country("NZ", "gst", "GST", "15"),
    country("SG", "gst", "GST", "9"),
    canada("AB", "gst", "GST", "5"),
    canada("BC", "gst", "GST", "5"),
    canada("MB", "gst", "GST", "5"),
    canada("NB", "hst", "HST", "15"),
    canada("NL", "hst", "HST", "15"),
    canada("NS", "hst", "HST", "14"),
    canada("NT", "gst", "GST", "5"),
    canada("NU", "gst", "GST", "5"),
    canada("ON", "hst", "HST", "13"),
    canada("PE", "hst", "HST", "15"),
    canada("QC", "gst", "GST", "5"),
    canada("SK", "gst", "GST", "5"),
    canada("YT", "gst", "GST", "5"),
    canada("BC", "pst", "PST", "7"),
    canada("MB", "rst", "RST", "7"),
    canada("QC", "qst", "QST", "9.975"),
    canada("SK", "pst", "PST", "6"),
    sales("CA", "7.25"),
    sales("FL", "6"),
    sales("GA", "4"),
    sales("IL", "6.25"),
    sales("MA", "6.25"),
    sales("MI", "6"),
    sales("NC", "4.75"),
    sales("NJ", "6.625"),
    sales("NY", "4"),
    sales("OH", "5.75"),
    sales("PA", "6"),
    sales("TX", "6.25"),
    sales("WA", "6.5"),
];

/// The first three digits of the postal codes of the states in [`RATES`], from the United States Postal Service's list of prefixes.
const POSTAL_CODES: [(std::ops::RangeInclusive<u16>, &str); 17] = [
    (10..=27, "MA"),
    (55..=55, "MA"),
    (70..=89, "NJ"),
    (5..=5, "NY"),
    (100..=149, "NY"),
    (150..=196, "PA"),
    (270..=289, "NC"),
    (300..=319, "GA"),
    (398..=399, "GA"),
    (320..=349, "FL"),
    (430..=459, "OH"),
    (480..=499, "MI"),
    (600..=629, "IL"),
    (750..=799, "TX"),
    (885..=885, "TX"),
    (900..=961, "CA"),
    (980..=994, "WA"),
];

/// Returns the state of a United States postal code: `NA` for a state without a rate, nothing if it is not a postal code.
pub fn state_of(postal_code: &str) -> Option<&'static str> {
    let digits = postal_code.get(..5)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let begin: u16 = digits.get(..3)?.parse().ok()?;
    Some(POSTAL_CODES.iter().find(|(codes, _)| codes.contains(&begin)).map_or("NA", |(_, state)| state))
}
