//! Samples a component's stack while it runs, for profiles.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};

/// Sleep between two samples. The real period is longer, since a sleeping thread takes longer than 50 µs to wake.
pub(super) const EVERY: Duration = Duration::from_micros(50);

/// The sampled stacks and their counts.
///
/// A sample is taken where a function or a loop begins, so the time of other code is attributed to the next function
/// called. Inlined functions do not appear.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Sampled>);

#[derive(Debug, Default)]
struct Sampled {
    heading: Option<String>,
    stacks: BTreeMap<Vec<String>, u64>,
}

impl Samples {
    /// Returns the number of samples of each stack. A stack consists of the compiler's names of the functions, the
    /// outermost function first. If the samples have a heading, the heading is the first element.
    pub fn stacks(&self) -> BTreeMap<Vec<String>, u64> {
        self.sampled().stacks.clone()
    }

    /// Sets the heading of the next samples, for example the name of the called export.
    pub fn set_heading(&self, heading: Option<String>) {
        self.sampled().heading = heading;
    }

    fn sampled(&self) -> MutexGuard<'_, Sampled> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, backtrace: &WasmBacktrace) {
        let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
            Some(name) => name.to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        let mut sampled = self.sampled();
        let functions = backtrace.frames().iter().rev().map(name);
        let stack: Vec<String> = sampled.heading.iter().cloned().chain(functions).collect();
        *sampled.stacks.entry(stack).or_default() += 1;
    }
}

/// Samples the stack at each tick of the engine's epoch, instead of enforcing a deadline.
pub(super) fn watch<T: 'static>(store: &mut Store<T>, samples: std::sync::Arc<Samples>) {
    store.epoch_deadline_callback(move |context| {
        samples.add(&WasmBacktrace::force_capture(context));
        Ok(UpdateDeadline::Continue(1))
    });
}
