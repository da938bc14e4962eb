//! Replays with extensions other than this project's.

mod budget;
mod failing;
#[allow(clippy::unwrap_used, reason = "the lint is off where the file is at home, too")]
#[path = "../../../../core/engine/tests/all/processor/toy.rs"]
mod toy;
