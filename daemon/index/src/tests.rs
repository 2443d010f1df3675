//! Runs as a whole: written, opened, searched, merged, damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::{Error, FormatError, Key, Run, RunWriter, fuzz, merge, remove_leftovers};

type Model = BTreeMap<[u8; 16], BTreeSet<[u8; 12]>>;

fn write(folder: &Path, name: &str, memory: usize, records: &[([u8; 16], [u8; 12])]) -> Run<12> {
    let mut writer = RunWriter::with_memory(folder, memory);
    for (key, value) in records {
        writer.push(Key(*key), *value).unwrap();
    }
    writer.finish(&folder.join(name)).unwrap()
}

fn model_of<'a>(records: impl IntoIterator<Item = &'a ([u8; 16], [u8; 12])>) -> Model {
    let mut model = Model::new();
    for (key, value) in records {
        model.entry(*key).or_default().insert(*value);
    }
    model
}

fn check(run: &Run<12>, model: &Model, strangers: &[[u8; 16]]) {
    let records: Vec<_> = run.iter().map(|r| r.unwrap()).map(|r| (r.key.0, r.value)).collect();
    let wanted: Vec<_> =
        model.iter().flat_map(|(key, values)| values.iter().map(|v| (*key, *v))).collect();
    assert_eq!(records, wanted);
    assert_eq!(run.len(), wanted.len());
    for (key, values) in model {
        assert!(run.get(Key(*key)).eq(values.iter().copied()));
    }
    for key in strangers {
        assert_eq!(run.contains(Key(*key)), model.contains_key(key));
    }
}

/// Keys of few distinct bytes, so that twins and neighbours are common, mixed with spread ones.
fn key() -> impl Strategy<Value = [u8; 16]> {
    let narrow = prop::array::uniform16(prop::sample::select(vec![0_u8, 1, 0xff]));
    prop_oneof![narrow, any::<[u8; 16]>()]
}

fn records() -> impl Strategy<Value = Vec<([u8; 16], [u8; 12])>> {
    prop::collection::vec((key(), prop::array::uniform12(0_u8..2)), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_agrees_with_a_map(
        records in records(),
        strangers in prop::collection::vec(key(), 0..50),
        memory in 1_usize..4000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let run = write(folder.path(), "a", memory, &records);
        check(&run, &model_of(&records), &strangers);
        check(&Run::open(run.path()).unwrap(), &model_of(&records), &strangers);
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_merge_is_the_union(parts in prop::collection::vec(records(), 0..4)) {
        let folder = tempfile::tempdir().unwrap();
        let runs: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| write(folder.path(), &at.to_string(), 1 << 20, part))
            .collect();
        let run = merge(&runs, &folder.path().join("all")).unwrap();
        check(&run, &model_of(parts.iter().flatten()), &[]);
    }

    #[test]
    fn mangled_files_never_panic(records in records(), at in any::<prop::sample::Index>(), with: u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a", 1 << 20, &records).path().to_owned();
        let mut bytes = fs::read(path).unwrap();
        fuzz::run_file(&bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        fuzz::run_file(&bytes);
        fuzz::run_file(&bytes[..at]);
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garbage");
        fs::write(&path, &bytes).unwrap();
        let refused = matches!(Run::<12>::open(&path), Err(Error::Format { .. }));
        prop_assert!(refused);
        fuzz::run_file(&bytes);
    }
}

fn sample() -> Vec<([u8; 16], [u8; 12])> {
    (0..300_u128).map(|n| ((n * (u128::MAX / 300)).to_be_bytes(), [7; 12])).collect()
}

fn cause(result: Result<Run<12>, Error>) -> FormatError {
    match result {
        Err(Error::Format { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a", 1 << 20, &sample()).path().to_owned();
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(cause(Run::open(&path)), FormatError::Length { .. }), "{length}");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(cause(Run::open(&path)), FormatError::Length { .. }));
}

#[test]
fn each_damage_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a", 1 << 20, &sample()).path().to_owned();
    let whole = fs::read(&path).unwrap();
    let damaged = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        Run::<12>::open(&path)
    };
    assert_eq!(cause(damaged(0)), FormatError::Magic);
    assert_eq!(cause(damaged(8)), FormatError::Version(0));
    assert_eq!(cause(damaged(12)), FormatError::ValueBytes { found: 13, wanted: 12 });
    assert!(matches!(cause(damaged(16)), FormatError::Length { .. }));
    assert_eq!(cause(damaged(29)), FormatError::HeaderCrc);
    assert_eq!(cause(damaged(41)), FormatError::HeaderCrc);
    let run = damaged(whole.len() - 1).unwrap();
    assert!(matches!(run.verify(), Err(Error::Format { cause: FormatError::RecordsCrc, .. })));
    let merged = merge(&[run], &folder.path().join("merged"));
    assert_eq!(cause(merged), FormatError::RecordsCrc);
    assert!(!folder.path().join("merged").exists());
}

#[test]
fn a_run_of_another_value_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = write(folder.path(), "a", 1 << 20, &sample());
    assert!(matches!(Run::<8>::open(run.path()), Err(Error::Format { .. })));
}

#[test]
fn a_failed_write_leaves_the_old_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a", 1 << 20, &sample()).path().to_owned();
    let mut damaged = fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    let broken = folder.path().join("b");
    fs::write(&broken, damaged).unwrap();
    assert!(merge(&[Run::<12>::open(&broken).unwrap()], &path).is_err());
    Run::<12>::open(&path).unwrap().verify().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn leftovers_go_and_runs_stay() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a", 1 << 20, &sample());
    fs::write(folder.path().join(".run-x1y2.tmp"), b"half").unwrap();
    remove_leftovers(folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_deleted_run_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let run = write(folder.path(), "a", 1 << 20, &sample());
    fs::remove_file(run.path()).unwrap();
    run.verify().unwrap();
}

/// A million spread keys in a memory that holds 37,000 of them.
#[test]
fn a_million_records() {
    let spread = |n: u64| {
        let high = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (u128::from(high) << 64 | u128::from(n)).to_be_bytes()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut writer = RunWriter::<8>::with_memory(folder.path(), 37_000 * 24);
    for n in 0..1_000_000 {
        writer.push(Key(spread(n)), n.to_le_bytes()).unwrap();
    }
    let run = writer.finish(&folder.path().join("million")).unwrap();
    assert_eq!(run.len(), 1_000_000);
    run.verify().unwrap();
    for n in 0..1_000_000 {
        assert_eq!(run.get(Key(spread(n))).next(), Some(n.to_le_bytes()));
    }
    assert!((1_000_000..1_100_000).all(|n| !run.contains(Key(spread(n)))));
}
