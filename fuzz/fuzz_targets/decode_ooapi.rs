#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| silta_fuzz::decode(&silta_ooapi::OpenEducation::V6, data));
