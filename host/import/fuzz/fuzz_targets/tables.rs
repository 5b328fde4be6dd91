//! Fuzzes `iog_import_fuzz::targets::tables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iog_import_fuzz::targets::tables(data));
