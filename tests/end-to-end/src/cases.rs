//! The number of generated cases of a property, and where failing seeds are stored.

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// The seed is fixed, so a test fails only because the code has changed.
const SEED: u64 = 1;

/// Returns a configuration with `default` fixed cases, or with `PROPTEST_CASES` random cases. proptest shrinks a
/// failing case in at most `shrink_steps` steps.
pub fn cases(default: u32, shrink_steps: u32) -> Config {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    let env = Config::default();
    let seed = if given { env.rng_seed } else { RngSeed::Fixed(SEED) };
    Config {
        cases: if given { env.cases } else { default },
        rng_seed: seed,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: shrink_steps,
        ..env
    }
}
