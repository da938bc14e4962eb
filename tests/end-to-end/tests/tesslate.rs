//! Tesslate Studio as data: its credits and shared sales under random operations, its invoices and listings.

mod tesslate {
    mod credits;
    mod invoices;
    mod listings;
    mod splits;
    mod support;
}
