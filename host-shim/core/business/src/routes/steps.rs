//! Counts the work done in a test: each checked value and each compared name is one step.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts one step.
pub(crate) fn step() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// Returns how many steps a function takes.
pub(crate) fn counted(body: impl FnOnce()) -> usize {
    let before = STEPS.with(Cell::get);
    body();
    STEPS.with(Cell::get) - before
}
