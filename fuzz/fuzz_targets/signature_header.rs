//! libFuzzer target; see `src/signature_header.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::signature_header::run(bytes));
