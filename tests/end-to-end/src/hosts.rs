//! The hosts on which stories are played: how the extension runs, and where rows are stored.

use crate::kept::Storage;
use crate::world::Setup;
use component_builder::PROVISIONER;
use host_engine::Host;
use host_engine::processor::Report;
use host_replay::runners::Runners;
use host_wasm_runner::cache::ComponentCache;
use host_wasm_runner::wasm::{CallLimits, LoadedComponent, Mode};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value;
use std::sync::OnceLock;

/// The current component, built once.
pub fn component() -> &'static LoadedComponent {
    static COMPONENT: OnceLock<LoadedComponent> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let bytes = component_builder::build(PROVISIONER).expect("a built component");
        compiled(&bytes)
    })
}

/// Compiles a component, or takes its machine code from the cache of `provisioner`, because several test programs need
/// the same code.
///
/// # Panics
///
/// Panics if the component cannot be loaded.
pub fn compiled(bytes: &[u8]) -> LoadedComponent {
    let cache = ComponentCache::of_user();
    LoadedComponent::load_quickly(bytes, CallLimits::default(), cache.as_ref()).expect("a loaded component")
}

/// Accepts a webhook's body or a command, and carries out everything that is due.
///
/// # Panics
///
/// Panics if the event cannot be read, or the store fails.
pub fn carry_out(host: &mut Host, business: &str, body: &Value) -> Vec<Report> {
    let (bytes, now) = (body.to_string().into_bytes(), host.clock_mut().now());
    let decoded = host_intake::raw::read(bytes.clone(), business, now).expect("a readable event");
    let reports = host.accept(decoded, bytes).expect("the store has no fault");
    host.outbox_mut().advance_to(now).expect("carried out");
    reports
}

/// Runners of the current component, reused for each event.
pub fn runners() -> Runners {
    Runners::new("component", || Ok(Box::new(component().runner(Mode::Reused))))
}

/// A kind of host: how the extension runs, and where rows are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// The extension as a library, on a store in memory: the fastest kind.
    Quick,
    /// The extension as a component, on a SQLite file, as it is shipped.
    Shipped,
}

impl HostKind {
    /// Returns both kinds. Prints each kind when the caller takes it.
    pub fn each() -> impl Iterator<Item = HostKind> {
        [HostKind::Quick, HostKind::Shipped].into_iter().inspect(|kind| println!("on the host {kind:?}"))
    }

    /// Returns the setup of a host of this kind, for Solobase.
    pub fn setup(self) -> Setup {
        match self {
            HostKind::Quick => Setup::default(),
            HostKind::Shipped => Setup { storage: Storage::Sqlite, ..in_wasm(Mode::Reused) },
        }
    }
}

/// Returns the setup of a host that runs the component on a store in memory.
pub fn in_wasm(mode: Mode) -> Setup {
    Setup { runners: Runners::new("component", move || Ok(Box::new(component().runner(mode)))), ..Setup::default() }
}

/// Number of stories per kind of host.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Stories on [`HostKind::Quick`].
    pub quick: u32,
    /// Stories on [`HostKind::Shipped`], which takes several times as long.
    pub shipped: u32,
}

/// Checks a law for generated values on each kind of host, with `counts` or `PROPTEST_CASES` cases. `file` is the file
/// of the test; seeds of failing cases are stored next to it.
///
/// # Panics
///
/// Panics if a case breaks the law. The message contains the kind of host and the smallest failing case.
pub fn on_each_kind<S: Strategy>(
    file: &'static str,
    counts: Counts,
    values: S,
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
        if let Err(broken) = runner.run(&values, |case| law(&setup, case)) {
            panic!("on the host {kind:?}: {broken}");
        }
    }
}
