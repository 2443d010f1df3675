//! A whole LTO library that answers SCSI commands, in real or simulated time.

pub mod time;
