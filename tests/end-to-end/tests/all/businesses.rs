//! Tests the properties of all stories (`stripe-scenarios.md` part 3) with every business. The oracle reads the
//! catalogs itself and shares no code with the extension.
//!
//! A failing case stores its seed in `regressions` and its story in `target/failed-stories`, as a scenario for
//! `provisioner replay`.

mod oracle;
mod orders;
mod simulation;
mod support;
mod terminality;
mod versions;
mod wrong_rules;
