#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_config::fuzz::acl(data));
