//! What a story is played on: how the extension runs, and where its rows are.

use crate::kept::Keeping;
use crate::world::{Setup, root};
use component_builder::PROVISIONER;
use host_replay::runners::Runners;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::sync::OnceLock;

/// The component as it is now. It is built and compiled once; what is compiled is kept in the target folder, since that takes
/// a debug build most of a minute and several test programs need it.
pub fn component() -> &'static LoadedComponent {
    static COMPONENT: OnceLock<LoadedComponent> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let bytes = component_builder::build(PROVISIONER).expect("the component can be built");
        let cache = ComponentCache::open(&root().join("target/compiled-components")).ok();
        LoadedComponent::load(&bytes, CallLimits::default(), cache.as_ref()).expect("the component can be loaded")
    })
}

/// A way to run the extension, with a place for its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// The library over a store in memory: as quick as can be.
    Quick,
    /// What is shipped: the component over a file of SQLite.
    Shipped,
}

impl HostKind {
    /// Each of them, told in what a test prints.
    pub fn each() -> impl Iterator<Item = HostKind> {
        [HostKind::Quick, HostKind::Shipped].into_iter().inspect(|kind| println!("on the host {kind:?}"))
    }

    /// A host of this kind, for Solobase.
    pub fn setup(self) -> Setup {
        match self {
            HostKind::Quick => Setup::default(),
            HostKind::Shipped => Setup { keeping: Keeping::Sqlite, ..in_wasm(Mode::Reused) },
        }
    }
}

/// The component over a store in memory.
pub fn in_wasm(mode: Mode) -> Setup {
    Setup { runners: Runners::new("component", move || Ok(Box::new(component().runner(mode)))), ..Setup::default() }
}

/// How many stories are told on each kind of host.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// On [`HostKind::Quick`], others in every run.
    pub quick: u32,
    /// On [`HostKind::Shipped`], which takes several times as long: the same ones in every run.
    pub shipped: u32,
}

/// Holds a law over what is `told` on each kind of host, in so many cases each, or as many as `PROPTEST_CASES` says. `file`
/// is that of the test, beside which seeds of those that break it are kept.
///
/// # Panics
/// The law is broken: with the kind of host and the smallest case.
pub fn on_each_kind<S: Strategy>(
    file: &'static str,
    counts: Counts,
    told: S,
    law: impl Fn(&Setup, S::Value) -> Result<(), TestCaseError>,
) {
    for kind in HostKind::each() {
        let (count, steps) = match kind {
            HostKind::Quick => (counts.quick, 500),
            HostKind::Shipped => (counts.shipped, 100),
        };
        let config = Config { source_file: Some(file), ..crate::cases::cases(count, steps) };
        let mut runner = match kind == HostKind::Shipped && std::env::var_os("PROPTEST_CASES").is_none() {
            true => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
            false => TestRunner::new(config),
        };
        let setup = kind.setup();
        if let Err(broken) = runner.run(&told, |case| law(&setup, case)) {
            panic!("on the host {kind:?}: {broken}");
        }
    }
}
