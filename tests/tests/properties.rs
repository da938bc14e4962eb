//! What must hold for every story: `stripe-scenarios.md` part 3, over generated stories.
//!
//! A failing case prints the seed in `properties.regressions` and leaves its story in `target/failed-stories`, as a
//! scenario that `host-shim replay` plays.

mod properties {
    mod conservation;
    mod crash;
    mod duplication;
    mod interleaving;
    mod permutation;
    mod sandbox;
    mod stories;
    mod support;
    mod terminality;
    mod versions;
}
