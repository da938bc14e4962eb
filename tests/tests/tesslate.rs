//! Tesslate Studio as data: its credits and shared sales under random operations.

mod tesslate {
    mod credits;
    mod splits;
    mod support;
}
