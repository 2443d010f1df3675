#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_tape::fuzz::fuzz_snapshot_archive(data));
