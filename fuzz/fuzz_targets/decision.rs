//! libFuzzer target; see `src/decision.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::decision::run(bytes));
