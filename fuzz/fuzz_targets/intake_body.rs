//! libFuzzer target; see `src/intake_body.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::intake_body::run(bytes));
