//! The host's state of an instance: the imports of the running call, and the resources that it used.

use super::CallLimits;
use super::stop::Stop;
use crate::convert::Cross;
use crate::runner::SharedImports;
use extension_contract::Imports;
use std::sync::PoisonError;
use wasmtime::ResourceLimiter;

/// Maximum number of elements of a table. The table of function pointers of a component has some hundreds of elements.
const TABLE_ELEMENTS_MAX: usize = 20_000;

/// The host's state of one instance.
pub(super) struct HostState {
    /// The imports of the running call; none between calls and in `manifest.declare`.
    imports: Option<SharedImports>,
    calls: u64,
    calls_max: u64,
    memory_bytes: usize,
    memory_bytes_max: usize,
    crossed_bytes: usize,
    crossed_bytes_max: usize,
}

impl HostState {
    pub fn new(limits: &CallLimits) -> Self {
        HostState {
            imports: None,
            calls: 0,
            calls_max: limits.host_calls,
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            crossed_bytes: 0,
            crossed_bytes_max: limits.crossing_bytes_total,
        }
    }

    /// Begins a call with these imports, and resets its counters.
    pub fn begin(&mut self, imports: SharedImports) {
        self.imports = Some(imports);
        self.calls = 0;
        self.crossed_bytes = 0;
    }

    /// Ends a call, and releases its imports.
    pub fn end(&mut self) {
        self.imports = None;
    }

    /// Returns the number of host calls of the running or last call.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the size of the instance's linear memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Runs an import whose arguments have about `bytes` bytes.
    pub fn import<T: Cross<U>, U>(
        &mut self,
        bytes: usize,
        body: impl FnOnce(&mut (dyn Imports + Send)) -> T,
    ) -> wasmtime::Result<U> {
        let imports = self.imports.as_ref().ok_or(Stop::NoImports)?;
        self.crossed_bytes = self.crossed_bytes.saturating_add(bytes);
        if self.crossed_bytes > self.crossed_bytes_max {
            return Err(Stop::TooManyBytes { limit: self.crossed_bytes_max }.into());
        }
        self.calls += 1;
        if self.calls > self.calls_max {
            return Err(Stop::TooManyHostCalls { limit: self.calls_max }.into());
        }
        let mut imports = imports.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(body(&mut *imports).cross())
    }
}

impl ResourceLimiter for HostState {
    // An error traps immediately, with its reason. With `Ok(false)`, the component would abort with an uninformative
    // trap.
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes_max {
            return Err(Stop::OutOfMemory { limit: self.memory_bytes_max }.into());
        }
        self.memory_bytes = desired;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Err(Stop::TableTooLarge { limit: TABLE_ELEMENTS_MAX }.into());
        }
        Ok(true)
    }
}
