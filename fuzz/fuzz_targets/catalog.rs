//! libFuzzer target; see `src/catalog.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::catalog::run(bytes));
