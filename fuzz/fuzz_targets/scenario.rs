//! libFuzzer target; see `src/scenario.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::scenario::run(bytes));
