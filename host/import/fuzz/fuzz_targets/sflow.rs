//! Fuzzes `iog_import_fuzz::targets::sflow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iog_import_fuzz::targets::sflow(data));
