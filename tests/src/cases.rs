//! How many stories a property tells, and where those that break it are kept.

use proptest::test_runner::{Config, FileFailurePersistence};

/// `default` cases, or as many as `PROPTEST_CASES` says; a broken one is made smaller in so many steps at most.
pub fn cases(default: u32, shrink_steps: u32) -> Config {
    let given = std::env::var("PROPTEST_CASES").is_ok();
    Config {
        cases: if given { Config::default().cases } else { default },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: shrink_steps,
        ..Config::default()
    }
}
