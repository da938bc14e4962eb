//! Tests the properties of all stories (`stripe-scenarios.md` part 3) with generated stories of Solobase. The tests
//! compare runs, and use an oracle that shares no code with the extension. Properties 3, 4, 5, 7 and 8 also run, with
//! fewer cases, with the component on a SQLite file. A failing case stores its seed in `properties/*.regressions` and
//! its story in `target/failed-stories`, as a scenario for `provisioner replay`.

mod conservation;
mod corpus;
mod crash;
mod drift;
mod duplication;
mod interleaving;
mod permutation;
mod sandbox;
mod stories;
mod support;
mod terminality;
mod versions;
