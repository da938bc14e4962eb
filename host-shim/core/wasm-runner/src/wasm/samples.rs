//! Where a component's time goes: its stack, looked at again and again while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wasmtime::{Store, UpdateDeadline, WasmBacktrace};

/// How often a stack is looked at; a sleeping thread takes longer than this to wake.
pub(super) const EVERY: Duration = Duration::from_micros(50);

/// Stacks that were seen, with how often.
///
/// A stack is seen where a function or a loop begins: code without either is counted for the next function that is called.
/// What was inlined has no name of its own.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    heading: Option<String>,
    stacks: BTreeMap<Vec<String>, u64>,
}

impl Samples {
    /// The stacks, outermost function first, as the compiler names them, with how often each was seen. Before the functions
    /// stands the heading under which a stack was seen, if there was one.
    pub fn stacks(&self) -> BTreeMap<Vec<String>, u64> {
        self.seen().stacks.clone()
    }

    /// From here on stacks are seen under this heading, or under none: what the component is asked for, for example.
    pub fn set_heading(&self, heading: Option<String>) {
        self.seen().heading = heading;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, backtrace: &WasmBacktrace) {
        let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
            Some(name) => name.to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        let mut seen = self.seen();
        let functions = backtrace.frames().iter().rev().map(name);
        let stack: Vec<String> = seen.heading.iter().cloned().chain(functions).collect();
        *seen.stacks.entry(stack).or_default() += 1;
    }
}

/// Look at the stack at each tick of the engine's epoch, instead of stopping what runs too long.
pub(super) fn watch<T: 'static>(store: &mut Store<T>, samples: std::sync::Arc<Samples>) {
    store.epoch_deadline_callback(move |context| {
        samples.add(&WasmBacktrace::force_capture(context));
        Ok(UpdateDeadline::Continue(1))
    });
}
