#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reel_hw::fuzz::fuzz_scsi(data));
