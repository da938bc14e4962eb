//! What must hold for every story of every business: `stripe-scenarios.md` part 3, judged by an oracle that reads the
//! catalogs itself and shares no code with the extension.
//!
//! A failing case prints its seed in `regressions` and leaves its story in `target/failed-stories`, as a scenario that
//! `host-shim replay` plays.

mod businesses {
    mod oracle;
    mod orders;
    mod simulation;
    mod support;
    mod terminality;
    mod versions;
}
