//! Tesslate Studio as data: its credits under random operations.

mod tesslate {
    mod credits;
}
