#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_types::fuzz::time_span(data));
