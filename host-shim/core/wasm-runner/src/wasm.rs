//! Loads components and creates their runners. A [`LoadedComponent`] is compiled, linked and checked once; its [`WasmRunner`]s share the
//! engine and the pool of instances. A component can call only the imports of its world. Fuel limits the time, since it is
//! deterministic and recorded; without a fuel limit, an epoch deadline does. Memory, stack, host calls and the bytes passed to the host
//! are limited too.

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
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Maximum size of a component in bytes, which bounds the compile time. The instance provisioner has less than 4 MiB.
pub const COMPONENT_BYTES_MAX: usize = 16 << 20;

/// Maximum number of live instances of one loaded component, in all its runners. Each instance reserves 4 GiB of
/// addresses, but no memory.
const INSTANCES_MAX: u32 = 32;

/// Maximum number of core instances in one component. The encoder generates three: the core module, and two that break
/// a cycle of imports.
const CORE_INSTANCES_MAX: u32 = 8;

/// Bytes of a pool slot's memory that stay mapped between instances, if the kernel can report dirty pages (Linux 6.7
/// and newer). This halves the cost of fresh instances.
const RESIDENT_BYTES: usize = 4 << 20;

/// Bytes of a pool slot's memory that stay mapped on older kernels. All of these bytes are zeroed for each instance, so
/// they are only enough for a component's stack and data.
const RESIDENT_BYTES_UNSCANNED: usize = 192 << 10;

/// Time between two increments of the epoch; also the precision of the deadline.
const TICK: Duration = Duration::from_millis(50);

/// The limits of one call of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Fuel, about one unit per instruction, and per byte that an instruction copies or fills. Without a fuel limit, the deadline
    /// stops a call, which is not deterministic.
    pub fuel: Option<u64>,
    /// Linear memory in bytes.
    pub memory_bytes: usize,
    /// Stack in bytes.
    pub stack_bytes: usize,
    /// Number of host calls.
    pub host_calls: u64,
    /// Bytes that one host call or one result may pass to the host.
    pub crossing_bytes: usize,
    /// Bytes that all host calls of one call may pass to the host.
    pub crossing_bytes_total: usize,
    /// Deadline of a call without a fuel limit in milliseconds, with a precision of 50 ms.
    pub deadline_ms: u64,
}

impl Default for CallLimits {
    fn default() -> Self {
        CallLimits {
            // A webhook event takes less than a million units of fuel. A hundred million units take about 0.2 s.
            fuel: Some(100_000_000),
            memory_bytes: 64 << 20,
            // Wasmtime's default. The extension's JSON reader stops at 128 levels, which need far less.
            stack_bytes: 512 << 10,
            // A hundred times the number of host calls of the instance provisioner's largest decision.
            host_calls: 10_000,
            // Enough for a bulk call of 256 records of the usual few kilobytes, or of 32 records of the maximum size.
            crossing_bytes: 8 << 20,
            crossing_bytes_total: 64 << 20,
            deadline_ms: 1_000,
        }
    }
}

/// The reason why a component cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The component is too large.
    #[error("the component has {bytes} bytes, expected at most {limit}")]
    TooLarge {
        /// Size in bytes.
        bytes: usize,
        /// [`COMPONENT_BYTES_MAX`].
        limit: usize,
    },
    /// The file is a core module, not a component.
    #[error("this is a core WebAssembly module, expected a component of world `solobase:products/extension`")]
    CoreModule,
    /// The file is not a component.
    #[error("not a component: {0}")]
    Malformed(String),
    /// The component imports interfaces that are not in the world, or interfaces of another version of the world.
    #[error("the component imports interfaces that this host does not provide: {}", imports.join(", "))]
    ForeignImports {
        /// Names of the imports.
        imports: Vec<String>,
    },
    /// The component lacks exports of the world.
    #[error("the component does not export: {}", exports.join(", "))]
    MissingExports {
        /// Exports that are missing or have another type, as `interface#function`.
        exports: Vec<String>,
    },
    /// The component imports functions of the world with another type: it was built for another version of the
    /// contract.
    #[error("the component was built for another contract: {0}")]
    OtherContract(String),
    /// The component cannot be compiled.
    #[error("the component cannot be compiled: {0}")]
    Invalid(String),
    /// The component failed to return its declarations.
    #[error("the component failed in `manifest.declare`: {0}")]
    Declare(RunError),
    /// This machine cannot run components.
    #[error("cannot start the engine: {0}")]
    Engine(String),
}

/// A component that is ready to run. Clones share all data.
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
    imports: Vec<String>,
    origin: Origin,
    samples: Option<Arc<Samples>>,
}

impl LoadedComponent {
    /// Checks, compiles and links a component, and reads its declarations. The machine code is optimised: use this
    /// function for a host that decides many events.
    ///
    /// # Errors
    /// Fails with [`LoadError`] if the component is invalid, does not fit the world, or fails to return its declarations.
    pub fn load(bytes: &[u8], limits: CallLimits, cache: Option<&ComponentCache>) -> Result<Self, LoadError> {
        LoadedComponent::load_with(bytes, limits, cache, None, OptLevel::Speed)
    }

    /// Like [`LoadedComponent::load`], but compiles in two thirds of the time, to slower machine code. Decisions and fuel are the same.
    ///
    /// # Errors
    /// Fails like [`LoadedComponent::load`].
    pub fn load_quickly(bytes: &[u8], limits: CallLimits, cache: Option<&ComponentCache>) -> Result<Self, LoadError> {
        LoadedComponent::load_with(bytes, limits, cache, None, OptLevel::None)
    }

    /// Loads a component for a profile: samples its stack while it runs, without a deadline.
    ///
    /// # Errors
    /// Fails like [`LoadedComponent::load`].
    pub fn load_sampled(
        bytes: &[u8],
        limits: CallLimits,
        cache: Option<&ComponentCache>,
    ) -> Result<(Self, Arc<Samples>), LoadError> {
        let samples = Arc::new(Samples::default());
        // With a deadline of 0 ms, the first sample is taken at the next tick of the epoch.
        let limits = CallLimits { deadline_ms: 0, ..limits };
        let loaded = LoadedComponent::load_with(bytes, limits, cache, Some(Arc::clone(&samples)), OptLevel::Speed)?;
        Ok((loaded, samples))
    }

    fn load_with(
        bytes: &[u8],
        limits: CallLimits,
        cache: Option<&ComponentCache>,
        samples: Option<Arc<Samples>>,
        optimisation: OptLevel,
    ) -> Result<Self, LoadError> {
        let imports = check(bytes)?;
        // The engine checks the epoch at each loop and call, which costs time. A fuel limit makes these checks superfluous.
        let has_epochs = limits.fuel.is_none() || samples.is_some();
        let engine =
            new_engine(&limits, has_epochs, optimisation).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
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
        let start_epoch = |every| tick(&engine, every).map_err(|error| LoadError::Engine(error.to_string()));
        let hash = hex::encode(Sha256::digest(bytes));
        if has_epochs && samples.is_none() {
            start_epoch(TICK)?;
        }
        let (declarations, exports) = runner::declare(&engine, &pre, &exports, &limits)?;
        if samples.is_some() {
            start_epoch(samples::EVERY)?;
        }
        let shared = Shared { engine, pre, exports, limits, hash, declarations, imports, origin, samples };
        Ok(LoadedComponent { shared: Arc::new(shared) })
    }

    /// Returns a runner with its own instances. At most 32 instances of a loaded component may live at a time.
    pub fn runner(&self, mode: Mode) -> WasmRunner {
        WasmRunner::new(self.clone(), mode)
    }

    /// Returns the declarations of the component.
    pub fn declarations(&self) -> &Declarations {
        &self.shared.declarations
    }

    /// Returns the names of the component's imports, in file order.
    pub fn imports(&self) -> &[String] {
        &self.shared.imports
    }

    /// Returns the SHA-256 of the component's bytes, hex.
    pub fn hash(&self) -> &str {
        &self.shared.hash
    }

    /// Returns the origin of the component's machine code.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// Returns the limits of one call.
    pub fn limits(&self) -> &CallLimits {
        &self.shared.limits
    }
}

/// Checks the size, the format and the imports of a component without compiling it. Returns the names of its imports.
pub(crate) fn check(bytes: &[u8]) -> Result<Vec<String>, LoadError> {
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: bytes.len(), limit: COMPONENT_BYTES_MAX });
    }
    let names = inspect::names(bytes).map_err(|error| match error {
        InspectError::CoreModule => LoadError::CoreModule,
        other => LoadError::Malformed(other.to_string()),
    })?;
    let is_foreign = |name: &&String| !inspect::is_world_import(name);
    let imports: Vec<String> = names.imports.iter().filter(is_foreign).cloned().collect();
    if imports.is_empty() { Ok(names.imports) } else { Err(LoadError::ForeignImports { imports }) }
}

fn new_engine(limits: &CallLimits, has_epochs: bool, optimisation: OptLevel) -> wasmtime::Result<Engine> {
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
        .epoch_interruption(has_epochs)
        .cranelift_opt_level(optimisation)
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

/// Starts a thread that increments the engine's epoch until the engine is dropped.
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
