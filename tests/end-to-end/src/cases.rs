//! How many stories a property tells, and where those that break it are kept.

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// The stories of a run that asks for no others: a test that fails there fails because of a change.
const SEED: u64 = 1;

/// `default` cases, the same in every run, or as many others as `PROPTEST_CASES` says; a broken one is made smaller in so
/// many steps at most.
pub fn cases(default: u32, shrink_steps: u32) -> Config {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    let told = Config::default();
    let seed = if given { told.rng_seed } else { RngSeed::Fixed(SEED) };
    Config {
        cases: if given { told.cases } else { default },
        rng_seed: seed,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: shrink_steps,
        ..told
    }
}
