//! Fuzzes `iog_import_fuzz::targets::mrt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iog_import_fuzz::targets::mrt(data));
