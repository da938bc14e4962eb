//! Loads a component and makes runners of it.
//!
//! A [`LoadedComponent`] is compiled, linked and checked once; every [`WasmRunner`] made of it shares its engine and
//! its pool of instances. A component can reach nothing but the imports of its world, and what it costs is bounded:
//! fuel decides (it is deterministic and recorded), memory, stack, host calls and the bytes that cross are limited,
//! and an epoch deadline is the net below.

mod bounds;
mod exports;
mod imports;
mod runner;
mod samples;
mod state;
mod stop;

pub use bounds::decision as check_decision;
pub use runner::{Mode, WasmRunner};
pub use samples::Samples;

use crate::bindings;
use crate::cache::{ComponentCache, Origin};
use crate::inspect::{self, InspectError};
use crate::runner::RunError;
use exports::Exports;
use extension_contract::Declarations;
use sha2::{Digest, Sha256};
use state::HostState;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Largest component in bytes. Ours has less than 2 MiB; compiling is what a larger one costs.
pub const COMPONENT_BYTES_MAX: usize = 16 << 20;

/// Most instances alive at once over all runners of one loaded component. Each reserves 4 GiB of addresses, no memory.
const INSTANCES_MAX: u32 = 32;

/// Core instances in one component: the encoder makes three, its core and two that break a cycle of imports.
const CORE_INSTANCES_MAX: u32 = 8;

/// Memory of a pool slot that stays mapped between instances, where the kernel can tell which pages are dirty
/// (Linux 6.7 and newer). Fresh instances cost half as much with it.
const RESIDENT_BYTES: usize = 4 << 20;

/// The same on older kernels, where all of it is zeroed each time: stack and data of a component, no more.
const RESIDENT_BYTES_UNSCANNED: usize = 192 << 10;

/// How often the epoch rises; the deadline is exact to this.
const TICK: Duration = Duration::from_millis(50);

/// What one call of a component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Fuel, about one unit an instruction; none leaves the deadline alone to stop a call, which is not deterministic.
    pub fuel: Option<u64>,
    /// Linear memory in bytes.
    pub memory_bytes: usize,
    /// Stack in bytes.
    pub stack_bytes: usize,
    /// Host calls of one call.
    pub host_calls: u64,
    /// Bytes that one host call or one answer may bring to the host.
    pub crossing_bytes: usize,
    /// Bytes that all host calls of one call may bring to the host.
    pub crossing_bytes_total: usize,
    /// Time after which a call is stopped, in milliseconds, to a tick of 50 ms.
    pub deadline_ms: u64,
}

impl Default for CallLimits {
    fn default() -> Self {
        CallLimits {
            // A webhook event takes less than a million units; a hundred times that is some 0.2 s, so that fuel and not
            // the deadline stops what spins, on a slow machine too.
            fuel: Some(100_000_000),
            memory_bytes: 64 << 20,
            // Wasmtime's own default; serde_json stops at 128 levels long before.
            stack_bytes: 512 << 10,
            // A hundred times what the largest decision of our own makes.
            host_calls: 10_000,
            // A bulk call of 256 records of the usual few kilobytes, or 32 of the largest.
            crossing_bytes: 8 << 20,
            crossing_bytes_total: 64 << 20,
            deadline_ms: 1_000,
        }
    }
}

/// Why a component is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is larger than this host takes.
    #[error("the component has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`COMPONENT_BYTES_MAX`].
        limit: usize,
    },
    /// It is a core module; this host runs components.
    #[error("this is a core WebAssembly module, expected a component of world `solobase:products/extension`")]
    CoreModule,
    /// It cannot be read as a component at all.
    #[error("not a component: {0}")]
    Malformed(String),
    /// It wants something from outside the world, or from another version of it.
    #[error("the component imports what this host gives no extension: {}", imports.join(", "))]
    ForeignImports {
        /// What it wants.
        imports: Vec<String>,
    },
    /// It does not export what the world says.
    #[error("the component does not export: {}", exports.join(", "))]
    MissingExports {
        /// What is missing or has another type, as `interface#function`.
        exports: Vec<String>,
    },
    /// It imports functions of the world under another type: it was built for another version of the contract.
    #[error("the component was built for another contract: {0}")]
    OtherContract(String),
    /// It cannot be compiled.
    #[error("the component cannot be compiled: {0}")]
    Invalid(String),
    /// It failed when asked what it declares.
    #[error("the component failed in `manifest.declare`: {0}")]
    Declare(RunError),
    /// This machine cannot run components.
    #[error("cannot start the engine: {0}")]
    Engine(String),
}

/// A component that is ready to run. Clones share everything.
#[derive(Clone)]
pub struct LoadedComponent {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    pre: InstancePre<HostState>,
    exports: Exports,
    limits: CallLimits,
    hash: String,
    declarations: Declarations,
    origin: Origin,
    samples: Option<Arc<Samples>>,
}

impl LoadedComponent {
    /// Check, compile and link a component, and ask it what it declares.
    pub fn load(bytes: &[u8], limits: CallLimits, cache: Option<&ComponentCache>) -> Result<Self, LoadError> {
        LoadedComponent::load_with(bytes, limits, cache, None)
    }

    /// Load a component for a profile: while it runs its stack is looked at, and no deadline stops it.
    pub fn load_sampled(
        bytes: &[u8],
        limits: CallLimits,
        cache: Option<&ComponentCache>,
    ) -> Result<(Self, Arc<Samples>), LoadError> {
        let samples = Arc::new(Samples::default());
        // Without a deadline the stack is looked at with the next tick of the epoch.
        let limits = CallLimits { deadline_ms: 0, ..limits };
        let loaded = LoadedComponent::load_with(bytes, limits, cache, Some(Arc::clone(&samples)))?;
        Ok((loaded, samples))
    }

    fn load_with(
        bytes: &[u8],
        limits: CallLimits,
        cache: Option<&ComponentCache>,
        samples: Option<Arc<Samples>>,
    ) -> Result<Self, LoadError> {
        check(bytes)?;
        let engine = new_engine(&limits).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let (component, origin) = match cache {
            Some(cache) => cache.load_or_compile(&engine, bytes),
            None => Component::new(&engine, bytes).map(|component| (component, Origin::Compiled)),
        }
        .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let pre = linker(&engine)
            .map_err(|error| LoadError::Engine(format!("{error:#}")))?
            .instantiate_pre(&component)
            .map_err(|error| LoadError::OtherContract(format!("{error:#}")))?;
        let exports = Exports::find(&component).map_err(|exports| LoadError::MissingExports { exports })?;
        let ticking = |every| tick(&engine, every).map_err(|error| LoadError::Engine(error.to_string()));
        let hash = hex::encode(Sha256::digest(bytes));
        if samples.is_none() {
            ticking(TICK)?;
        }
        let (declarations, exports) = runner::declare(&engine, &pre, &exports, &limits)?;
        if samples.is_some() {
            ticking(samples::EVERY)?;
        }
        let shared = Shared { engine, pre, exports, limits, hash, declarations, origin, samples };
        Ok(LoadedComponent { shared: Arc::new(shared) })
    }

    /// A runner of its own instance or instances. At most 32 instances of a loaded component live at a time.
    pub fn runner(&self, mode: Mode) -> WasmRunner {
        WasmRunner::new(self.clone(), mode)
    }

    /// What it declares.
    pub fn declarations(&self) -> &Declarations {
        &self.shared.declarations
    }

    /// SHA-256 of its bytes, hex.
    pub fn hash(&self) -> &str {
        &self.shared.hash
    }

    /// Where its machine code came from.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// What one call may use.
    pub fn limits(&self) -> &CallLimits {
        &self.shared.limits
    }
}

/// What can be said before compiling.
pub(crate) fn check(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len(), limit: COMPONENT_BYTES_MAX });
    }
    let names = inspect::names(bytes).map_err(|error| match error {
        InspectError::CoreModule => LoadError::CoreModule,
        other => LoadError::Malformed(other.to_string()),
    })?;
    let imports: Vec<String> = names.imports.into_iter().filter(|name| !inspect::is_of_the_world(name)).collect();
    if imports.is_empty() { Ok(()) } else { Err(LoadError::ForeignImports { imports }) }
}

fn new_engine(limits: &CallLimits) -> wasmtime::Result<Engine> {
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .max_memories_per_component(1)
        .total_tables(INSTANCES_MAX * 2)
        .max_tables_per_component(2)
        .max_memory_size(limits.memory_bytes)
        .linear_memory_keep_resident(if scan { RESIDENT_BYTES } else { RESIDENT_BYTES_UNSCANNED })
        .table_keep_resident(if scan { RESIDENT_BYTES } else { RESIDENT_BYTES_UNSCANNED })
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(limits.fuel.is_some())
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    Engine::new(&config)
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    bindings::Extension::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// Let the epoch rise until the engine is gone.
fn tick(engine: &Engine, every: Duration) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(every);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    })?;
    Ok(())
}
