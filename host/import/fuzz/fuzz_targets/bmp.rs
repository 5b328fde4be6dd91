//! Fuzzes `iog_import_fuzz::targets::bmp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iog_import_fuzz::targets::bmp(data));
