//! libFuzzer target; see `src/store_file.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::store_file::run(bytes));
