//! Bodies for the fuzzer, which tests also run over seeds.

use crate::format::{CheckedRecords, RunView};
use crate::record::{Key, Record};

/// Opens arbitrary bytes as a run of 12-byte values and uses whatever that accepts.
pub fn run_file(bytes: &[u8]) {
    let Ok(view) = RunView::<12>::parse(bytes) else { return };
    let records: Vec<Record<12>> = CheckedRecords::new(view).filter_map(Result::ok).collect();
    assert!(records.len() <= view.layout().records);
    for record in records.iter().take(1000) {
        view.get(record.key).for_each(drop);
    }
    for byte in [0, 0x7f, 0xff] {
        view.get(Key([byte; 16])).for_each(drop);
    }
}
