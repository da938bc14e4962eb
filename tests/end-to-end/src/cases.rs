//! The number of generated cases of a property, and where failing seeds are stored.

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// The seed is fixed, so that a test fails only because the code has changed.
const SEED: u64 = 1;

/// Returns which fraction of the generated stories and kills a test run tries: one in this many. It is never a multiple of 3,
/// because a group has three writes, and kills must reach each of them.
///
/// # Panics
///
/// Panics if the variable is not a positive number, or is a multiple of 3.
pub fn one_story_in() -> usize {
    let part = test_support::one_story_in();
    assert!(!part.is_multiple_of(3), "ONE_STORY_IN is {part}, expected a number that is not a multiple of 3");
    part
}

/// Returns a configuration with `default` fixed cases, of which [`one_story_in`] keeps a fraction, or with `PROPTEST_CASES`
/// random cases. proptest shrinks a failing case in at most `shrink_steps` steps.
pub fn cases(default: u32, shrink_steps: u32) -> Config {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    let env = Config::default();
    let seed = if given { env.rng_seed } else { RngSeed::Fixed(SEED) };
    Config {
        cases: if given { env.cases } else { default.div_ceil(one_story_in() as u32) },
        rng_seed: seed,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: shrink_steps,
        ..env
    }
}
