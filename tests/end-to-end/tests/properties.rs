//! What must hold for every story: `stripe-scenarios.md` part 3, over generated stories.
//!
//! Runs are compared with each other, and with an oracle that shares no code with the extension: what may be used, the money,
//! subscriptions and instances after each part, or at the end. Of two interleaved accounts (5) it is the money alone, since
//! each of them lives on the other's clock. Properties 3, 4, 5, 7 and 8 are held natively in memory and, in fewer cases, as
//! the component over a file of SQLite.
//!
//! A failing case prints the seed in `properties/*.regressions` and leaves its story in `target/failed-stories`, as a
//! scenario that `host-shim replay` plays.

mod properties {
    mod conservation;
    mod corpus;
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
