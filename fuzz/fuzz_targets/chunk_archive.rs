#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_tape::fuzz::fuzz_chunk_archive(data));
