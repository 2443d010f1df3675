use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use reel_types::{ArchiveName, AuthId, ManualClock};

use super::*;
use crate::blob::DataBlob;
use crate::failure::StoreErrorKind;
use crate::manifest::{CryptMode, VerifyOutcome, VerifyState};

/// A datastore without its 65536 chunk folders, which most tests don't need.
struct Setup {
    dir: tempfile::TempDir,
    store: Arc<Datastore>,
}

impl Setup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("store1");
        fs::create_dir_all(base.join(".chunks")).unwrap();
        let store = Datastore::open(&config(&base), &environment(dir.path())).unwrap();
        Self { dir, store }
    }

    fn base(&self) -> PathBuf {
        self.dir.path().join("store1")
    }

    /// A finished snapshot with one small blob.
    fn snapshot(&self, text: &str) -> SnapshotPath {
        let snapshot = snapshot(text);
        let writer = self.store.create_snapshot(&snapshot, &alice()).unwrap();
        writer.add_blob(&name("a.conf.blob"), &blob(b"conf"), CryptMode::None).unwrap();
        writer.finish(None).unwrap();
        snapshot
    }
}

fn config(base: &Path) -> DatastoreConfig {
    DatastoreConfig {
        name: "store1".parse().unwrap(),
        path: base.to_owned(),
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::None,
    }
}

fn environment(dir: &Path) -> StoreEnvironment {
    let user = ServiceUser::current();
    StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(dir.join("run"), user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(ManualClock::at(1_700_000_000)),
    }
}

fn snapshot(text: &str) -> SnapshotPath {
    text.parse().unwrap()
}

fn group(text: &str) -> GroupPath {
    text.parse().unwrap()
}

fn name(text: &str) -> ArchiveName {
    text.parse().unwrap()
}

fn alice() -> AuthId {
    "alice@pbs".parse().unwrap()
}

fn blob(data: &[u8]) -> DataBlob {
    DataBlob::encode(data, None, true).unwrap()
}

fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

const TIME1: &str = "vm/100/2024-06-05T08:00:00Z";
const TIME2: &str = "vm/100/2024-06-06T08:00:00Z";

#[test]
fn impossible_names_are_skipped_and_reported() {
    let setup = Setup::new();
    let base = setup.base();
    setup.snapshot(TIME1);
    setup.store.create_namespace(&"a".parse().unwrap()).unwrap();
    let odd = ["with\nnewline", "with blank", "-dash", ".hidden", &"x".repeat(255)];
    let not_text = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    for parent in ["ns", "vm", "vm/100"] {
        odd.iter().for_each(|name| fs::create_dir(base.join(parent).join(name)).unwrap());
        fs::create_dir(base.join(parent).join(not_text)).unwrap();
        fs::write(base.join(parent).join("file"), b"").unwrap();
        std::os::unix::fs::symlink("/", base.join(parent).join("link")).unwrap();
    }
    fs::create_dir(base.join("vm/100/2024-02-31T00:00:00Z")).unwrap();

    let root = Namespace::root();
    let namespaces = setup.store.namespaces(&root, None).unwrap();
    let names: Vec<_> = namespaces.items.iter().map(|n| n.to_string()).collect();
    assert_eq!(names, ["", "a", &"x".repeat(255)]);
    assert_eq!(namespaces.skipped.len(), odd.len());

    let groups = setup.store.groups(&root).unwrap();
    let ids: Vec<_> = groups.items.iter().map(|group| group.id.as_str()).collect();
    assert_eq!(ids, ["100", &"x".repeat(255)]);
    assert_eq!(groups.skipped.len(), odd.len());

    let snapshots = setup.store.snapshots(&group("vm/100")).unwrap();
    assert_eq!(snapshots.items.len(), 1);
    assert_eq!(snapshots.skipped.len(), odd.len() + 2);
}

#[test]
fn namespaces_come_parents_first_and_to_a_depth() {
    let setup = Setup::new();
    for namespace in ["b", "a", "a/z", "a/y", "a/y/x"] {
        setup.store.create_namespace(&namespace.parse().unwrap()).unwrap();
    }
    let list = |anchor: &str, depth| {
        let listing = setup.store.namespaces(&anchor.parse().unwrap(), depth).unwrap();
        listing.items.iter().map(Namespace::to_string).collect::<Vec<_>>()
    };
    assert_eq!(list("", None), ["", "a", "a/y", "a/y/x", "a/z", "b"]);
    assert_eq!(list("a", Some(1)), ["a", "a/y", "a/z"]);
    assert_eq!(list("a", Some(0)), ["a"]);
    let store = &setup.store;
    let root = Namespace::root();
    assert_eq!(kind(store.namespaces(&root, Some(8))), Some(StoreErrorKind::InvalidInput));
    let missing = "no/parent".parse().unwrap();
    assert_eq!(kind(store.create_namespace(&missing)), Some(StoreErrorKind::NotFound));
    assert_eq!(kind(store.namespaces(&missing, None)), Some(StoreErrorKind::NotFound));
    assert_eq!(kind(store.create_namespace(&root)), Some(StoreErrorKind::Exists));
    assert_eq!(kind(store.create_namespace(&"a".parse().unwrap())), Some(StoreErrorKind::Exists));
}

#[test]
fn owners_are_never_guessed() {
    let setup = Setup::new();
    setup.snapshot(TIME1);
    let group = group("vm/100");
    let owner_file = setup.base().join("vm/100/owner");
    assert_eq!(fs::read_to_string(&owner_file).unwrap(), "alice@pbs\n");
    assert_eq!(setup.store.owner(&group).unwrap(), alice());
    for bad in [&b""[..], b"\n", b"nobody", b"\xff\xff", &[b'x'; 5000]] {
        fs::write(&owner_file, bad).unwrap();
        let error = setup.store.owner(&group).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(error.to_string().contains("vm/100"), "{error}");
        assert!(setup.store.create_snapshot(&snapshot(TIME2), &alice()).is_err());
    }
    fs::remove_file(&owner_file).unwrap();
    assert_eq!(kind(setup.store.owner(&group)), Some(StoreErrorKind::NotFound));
    let token: AuthId = "bob@pbs!tok".parse().unwrap();
    setup.store.set_owner(&group, &token).unwrap();
    assert_eq!(setup.store.owner(&group).unwrap(), token);
    assert!(setup.store.check_owner(&group, &"bob@pbs".parse().unwrap()).is_ok());
    let refused = setup.store.create_snapshot(&snapshot(TIME2), &alice());
    assert_eq!(kind(refused), Some(StoreErrorKind::Permission));
}

#[test]
fn notes_of_groups_and_snapshots() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let group = snapshot.group_path();
    assert_eq!(setup.store.group_notes(&group).unwrap(), "");
    setup.store.set_group_notes(&group, "two\nlines ä").unwrap();
    assert_eq!(setup.store.group_notes(&group).unwrap(), "two\nlines ä");
    assert_eq!(setup.store.notes(&snapshot).unwrap(), "");
    setup.store.set_notes(&snapshot, "first").unwrap();
    setup.store.set_notes(&snapshot, "second\nline").unwrap();
    assert_eq!(setup.store.notes(&snapshot).unwrap(), "second\nline");
    assert!(setup.store.manifest(&snapshot).unwrap().chunk_upload_stats().unwrap().is_some());
    fs::write(setup.base().join("vm/100/notes"), b"\xff").unwrap();
    assert_eq!(kind(setup.store.group_notes(&group)), Some(StoreErrorKind::Corrupt));
}

#[test]
fn a_bad_manifest_is_left_untouched() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let path = setup.base().join(TIME1).join("index.json.blob");
    let crypt = crate::testing::k0();
    let good = fs::read(&path).unwrap();
    let encrypted = DataBlob::encode(b"{}", Some(&crypt), false).unwrap();
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    let bad = [
        (encrypted.raw().to_vec(), StoreErrorKind::Corrupt),
        (flipped, StoreErrorKind::Checksum),
        (b"short".to_vec(), StoreErrorKind::Corrupt),
        (vec![0; 100], StoreErrorKind::Corrupt),
        (blob(b"no json").raw().to_vec(), StoreErrorKind::Corrupt),
        (blob(b"{}").raw().to_vec(), StoreErrorKind::Corrupt),
    ];
    for (content, want) in bad {
        fs::write(&path, &content).unwrap();
        assert_eq!(kind(setup.store.set_notes(&snapshot, "x")), Some(want));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(kind(setup.store.set_notes(&snapshot, "x")), Some(StoreErrorKind::NotFound));
    assert!(!path.exists());
}

#[test]
fn protection_holds_against_every_removal() {
    let setup = Setup::new();
    let (first, second) = (setup.snapshot(TIME1), setup.snapshot(TIME2));
    setup.store.set_protected(&first, true).unwrap();
    assert!(setup.store.is_protected(&first).unwrap());
    let error = setup.store.forget_snapshot(&first).unwrap_err();
    assert_eq!((error.kind(), error.errno()), (StoreErrorKind::Protected, libc::EPERM));
    let removal = setup.store.forget_group(&first.group_path()).unwrap();
    assert_eq!(removal, GroupRemoval { removed: 1, protected: 1 });
    assert!(setup.store.open_snapshot(&first).is_ok());
    assert_eq!(kind(setup.store.open_snapshot(&second)), Some(StoreErrorKind::NotFound));
    setup.store.set_protected(&first, false).unwrap();
    setup.store.set_protected(&first, false).unwrap();
    setup.store.forget_snapshot(&first).unwrap();
    assert_eq!(kind(setup.store.forget_snapshot(&first)), Some(StoreErrorKind::NotFound));
    setup.store.forget_group(&first.group_path()).unwrap();
    assert!(!setup.base().join("vm/100").exists());
    assert_eq!(kind(setup.store.forget_group(&first.group_path())), Some(StoreErrorKind::NotFound));
}

#[test]
fn a_reader_keeps_its_snapshot() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let reader = setup.store.open_snapshot(&snapshot).unwrap();
    assert_eq!(kind(setup.store.forget_snapshot(&snapshot)), Some(StoreErrorKind::Locked));
    assert_eq!(kind(setup.store.set_protected(&snapshot, true)), Some(StoreErrorKind::Locked));
    let stored = reader.stored_files().unwrap();
    assert_eq!(stored, [name("index.json.blob"), name("a.conf.blob")]);
    let content = reader.blob(&name("a.conf.blob")).unwrap().blob.decode(None, 100).unwrap();
    assert_eq!(&content[..], b"conf");
    drop(reader);
    setup.store.forget_snapshot(&snapshot).unwrap();
}

#[test]
fn files_must_be_what_the_manifest_says() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let path = setup.base().join(TIME1).join("a.conf.blob");
    let open = || setup.store.open_snapshot(&snapshot).unwrap().blob(&name("a.conf.blob"));
    fs::write(&path, blob(b"cone").raw()).unwrap();
    assert_eq!(kind(open()), Some(StoreErrorKind::Checksum));
    fs::write(&path, b"").unwrap();
    assert_eq!(kind(open()), Some(StoreErrorKind::Checksum));
    fs::remove_file(&path).unwrap();
    assert_eq!(kind(open()), Some(StoreErrorKind::NotFound));
    let reader = setup.store.open_snapshot(&snapshot).unwrap();
    assert_eq!(kind(reader.blob(&name("b.conf.blob"))), Some(StoreErrorKind::NotFound));
    assert_eq!(kind(reader.index(&name("b.img.fidx"))), Some(StoreErrorKind::NotFound));
    assert_eq!(kind(reader.blob(&name("b.img.fidx"))), Some(StoreErrorKind::InvalidInput));
}

#[test]
fn listed_files_are_regular_with_known_extensions() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let dir = setup.base().join(TIME1);
    fs::write(dir.join("b.img.tmp_fidx"), b"").unwrap();
    fs::write(dir.join(".odd.blob"), b"").unwrap();
    fs::create_dir(dir.join("folder.blob")).unwrap();
    let files = setup.store.files(&snapshot).unwrap();
    let names: Vec<_> = files.items.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.conf.blob", "index.json.blob"]);
    assert_eq!(files.skipped.len(), 1);
}

#[test]
fn what_is_not_finished_is_not_there() {
    let setup = Setup::new();
    let path = snapshot(TIME1);
    let writer = setup.store.create_snapshot(&path, &alice()).unwrap();
    writer.add_blob(&name("a.conf.blob"), &blob(b"conf"), CryptMode::None).unwrap();
    let entries = setup.store.snapshots(&path.group_path()).unwrap().items;
    assert!(!entries[0].finished);
    assert_eq!(
        kind(setup.store.create_snapshot(&snapshot(TIME2), &alice())),
        Some(StoreErrorKind::Locked)
    );
    assert_eq!(kind(setup.store.forget_group(&path.group_path())), Some(StoreErrorKind::Locked));
    assert_eq!(kind(setup.store.forget_snapshot(&path)), Some(StoreErrorKind::Locked));
    drop(writer);
    assert!(!setup.base().join(TIME1).exists());
    assert!(setup.base().join("vm/100/owner").exists());
}

#[test]
fn names_and_order_of_a_new_snapshot_are_checked() {
    let setup = Setup::new();
    let base = setup.snapshot(TIME2);
    let create = |text: &str| setup.store.create_snapshot(&snapshot(text), &alice());
    assert_eq!(kind(create(TIME2)), Some(StoreErrorKind::InvalidInput));
    assert_eq!(kind(create(TIME1)), Some(StoreErrorKind::InvalidInput));
    assert_eq!(
        kind(create("host/benchmark/2024-06-05T08:00:00Z")),
        Some(StoreErrorKind::InvalidInput)
    );
    assert_eq!(kind(create("ns/x/vm/1/2024-06-05T08:00:00Z")), Some(StoreErrorKind::NotFound));

    let failed = VerifyState { upid: "UPID:x".into(), state: VerifyOutcome::Failed };
    setup.store.update_manifest(&base, |manifest| manifest.set_verify_state(&failed)).unwrap();
    assert!(create(TIME1).unwrap().base().is_none());
    assert_eq!(kind(create(TIME2)), Some(StoreErrorKind::Exists));

    let later = create("vm/100/2024-06-07T08:00:00Z").unwrap();
    assert_eq!(
        kind(later.image(&name("a.conf.blob"), 1, CryptMode::None)),
        Some(StoreErrorKind::InvalidInput)
    );
    assert_eq!(
        kind(later.image(&name("a.img.fidx"), 0, CryptMode::None)),
        Some(StoreErrorKind::InvalidInput)
    );
    let refused = later.add_blob(&name("index.json.blob"), &blob(b"x"), CryptMode::None);
    assert_eq!(kind(refused), Some(StoreErrorKind::InvalidInput));
    assert_eq!(kind(later.finish(None)), Some(StoreErrorKind::InvalidInput));
}

#[test]
fn an_unclosed_image_leaves_nothing_and_finishing_needs_all_chunks() {
    let setup = Setup::new();
    let writer = setup.store.create_snapshot(&snapshot(TIME1), &alice()).unwrap();
    let image = writer.image(&name("a.img.fidx"), 5, CryptMode::None).unwrap();
    let temporary = setup.base().join(TIME1).join("a.img.tmp_fidx");
    assert!(temporary.exists());
    assert_eq!(kind(image.close()), Some(StoreErrorKind::InvalidInput));
    assert!(!temporary.exists());
    let image = writer.image(&name("a.img.fidx"), 5, CryptMode::None).unwrap();
    assert!(setup.store.chunks().process_lock().oldest_shared().is_some());
    drop(image);
    assert!(setup.store.chunks().process_lock().oldest_shared().is_none());
}

#[test]
fn a_base_removed_by_force_fails_the_backup() {
    let setup = Setup::new();
    setup.snapshot(TIME1);
    let writer = setup.store.create_snapshot(&snapshot(TIME2), &alice()).unwrap();
    assert_eq!(writer.base(), Some(&snapshot(TIME1)));
    assert_eq!(kind(setup.store.forget_snapshot(&snapshot(TIME1))), Some(StoreErrorKind::Locked));
    writer.add_blob(&name("a.conf.blob"), &blob(b"conf"), CryptMode::None).unwrap();
    fs::remove_dir_all(setup.base().join(TIME1)).unwrap();
    assert_eq!(kind(writer.finish(None)), Some(StoreErrorKind::NotFound));
    assert!(!setup.base().join(TIME2).exists());
}

#[test]
fn an_import_is_whole_or_nothing() {
    let setup = Setup::new();
    let source = setup.snapshot(TIME2);
    let manifest = setup.store.manifest(&source).unwrap();
    let target = snapshot(TIME1);
    let start = || setup.store.import_snapshot(&target, &alice());
    let stored = fs::read(setup.base().join(TIME2).join("a.conf.blob")).unwrap();

    let import = start().unwrap();
    assert_eq!(kind(import.finish(&manifest)), Some(StoreErrorKind::NotFound));
    assert!(!setup.base().join(TIME1).exists());

    fs::create_dir(setup.base().join(TIME1)).unwrap();
    fs::write(setup.base().join(TIME1).join("a.conf.tmp"), b"left by a crash").unwrap();
    let import = start().unwrap();
    assert_eq!(
        import.add_file(&name("a.conf.blob"), &mut &stored[..]).unwrap(),
        stored.len() as u64
    );
    assert!(import.add_file(&name("index.json.blob"), &mut &stored[..]).is_err());
    import.finish(&manifest).unwrap();
    assert_eq!(kind(start()), Some(StoreErrorKind::Exists));
    assert!(setup.base().join(TIME1).join("a.conf.blob").exists(), "what is there must stay");
    let reader = setup.store.open_snapshot(&target).unwrap();
    assert!(reader.blob(&name("a.conf.blob")).is_ok());
}

#[test]
fn sizes_are_those_that_pbs_shows() {
    let setup = Setup::new();
    let snapshot = setup.snapshot(TIME1);
    let length = |file: &str| fs::metadata(setup.base().join(TIME1).join(file)).unwrap().len();
    assert_eq!(
        setup.store.snapshot_size(&snapshot).unwrap(),
        length("a.conf.blob") + length("index.json.blob")
    );
}

#[test]
fn chunks_are_sorted_as_the_disk_has_them() {
    let setup = Setup::new();
    let by_inode = DatastoreConfig { chunk_order: ChunkOrder::Inode, ..config(&setup.base()) };
    let by_inode = Datastore::open(&by_inode, &environment(setup.dir.path())).unwrap();
    let digests = [3, 1, 2].map(|fill| Digest([fill; 32]));
    for digest in &digests[..2] {
        let path = setup.store.chunks().path(digest);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
    }
    let inode = |digest: &Digest| fs::metadata(setup.store.chunks().path(digest)).unwrap().ino();
    let [missing, ref mut there @ ..] = [digests[2], digests[0], digests[1]];
    there.sort_by_key(inode);
    let mut sorted = [missing, digests[0], digests[1]];
    by_inode.sort_for_reading(&mut sorted);
    assert_eq!(sorted, [there[0], there[1], missing]);
    let mut untouched = digests;
    setup.store.sort_for_reading(&mut untouched);
    assert_eq!(untouched, digests);
}
