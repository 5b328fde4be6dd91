//! Fuzzes `iog_import_fuzz::targets::packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iog_import_fuzz::targets::packet(data));
