#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_store::fuzz::key_file(data));
