//! What the host keeps beside an instance: the transaction of the running call, and what the call used.

use super::Limits;
use super::stop::Stop;
use crate::convert::Cross;
use host_store::Transaction;
use wasmtime::ResourceLimiter;

/// Most elements of a component's tables; one that uses function pointers has some hundreds.
const TABLE_ELEMENTS_MAX: usize = 20_000;

/// The host's side of one instance.
pub(super) struct HostState {
    /// The transaction of the running call; none between calls and in `manifest.declare`.
    transaction: Option<Transaction>,
    memory_bytes: usize,
    memory_bytes_max: usize,
    crossed_bytes: usize,
    crossed_bytes_max: usize,
}

impl HostState {
    pub fn new(limits: &Limits) -> Self {
        HostState {
            transaction: None,
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            crossed_bytes: 0,
            crossed_bytes_max: limits.crossing_bytes_total,
        }
    }

    /// Begin a call.
    pub fn begin(&mut self, transaction: Option<Transaction>) {
        self.transaction = transaction;
        self.crossed_bytes = 0;
    }

    /// End a call: the transaction as the imports left it.
    pub fn end(&mut self) -> Option<Transaction> {
        self.transaction.take()
    }

    /// Linear memory that the instance has grown to.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Answer an import that brought about `bytes`.
    pub fn import<T: Cross<U>, U>(
        &mut self,
        bytes: usize,
        body: impl FnOnce(&mut Transaction) -> T,
    ) -> wasmtime::Result<U> {
        let transaction = self.transaction.as_mut().ok_or(Stop::NoTransaction)?;
        self.crossed_bytes = self.crossed_bytes.saturating_add(bytes);
        if self.crossed_bytes > self.crossed_bytes_max {
            return Err(Stop::TooManyBytes { limit: self.crossed_bytes_max }.into());
        }
        let answer = body(transaction);
        if transaction.trace().over_call_limit {
            return Err(Stop::TooManyHostCalls { limit: transaction.context().call_limit }.into());
        }
        Ok(answer.cross())
    }
}

impl ResourceLimiter for HostState {
    // An error traps at once. A guest that is told "no" instead would abort with a trap that says nothing.
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
