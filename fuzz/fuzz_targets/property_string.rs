#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_types::fuzz::property_string(data));
