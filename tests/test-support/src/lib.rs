//! Reads counts from the environment for several test programs, locates the businesses, and sets the allocator of these
//! programs.
//!
//! A test program that links this crate uses mimalloc, as the host does. Otherwise the tests would spend a sixth of their time
//! in the system's allocator.

mod businesses;

pub use businesses::{businesses, fixtures, in_business, played};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Returns the count in an environment variable, or `default` if the variable is not set.
///
/// # Panics
///
/// Panics if the variable is not a positive number.
pub fn count(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Err(std::env::VarError::NotPresent) => default,
        given => parse(variable, &given.unwrap_or_else(|error| panic!("{variable}: {error}"))),
    }
}

/// Returns which fraction of stories, accounts or values a test run tries: one in this many. It is the variable
/// `ONE_STORY_IN`, or 16; `cargo xtask test full-counts` sets it lower.
///
/// # Panics
///
/// Panics if the variable is not a positive number.
pub fn one_story_in() -> usize {
    count("ONE_STORY_IN", 16)
}

fn parse(variable: &str, given: &str) -> usize {
    let number = given.parse().ok().filter(|number| *number > 0);
    number.unwrap_or_else(|| panic!("{variable} is {given}, expected a positive number"))
}

#[cfg(test)]
mod tests {
    use super::{count, parse};

    #[test]
    fn a_count_that_is_not_set_is_the_default() {
        assert_eq!(count("A_COUNT_THAT_NOBODY_SETS", 8), 8);
        assert_eq!(parse("KILLS", "200"), 200);
    }

    #[test]
    #[should_panic(expected = "KILLS is 0, expected a positive number")]
    fn a_count_of_zero_is_refused() {
        parse("KILLS", "0");
    }
}
