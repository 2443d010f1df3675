#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_index::fuzz::run_file(data));
