use std::fs;
use std::time::Duration;

use crate::{ConfigDigest, ConfigDir, Datastores};

use super::*;

fn folder(content: &str) -> (tempfile::TempDir, ConfigDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("datastore.cfg"), content).unwrap();
    let dir = ConfigDir::new(folder.path()).with_lock_wait(Duration::ZERO);
    (folder, dir)
}

fn content(dir: &ConfigDir) -> String {
    fs::read_to_string(dir.file("datastore.cfg")).unwrap()
}

fn name(text: &str) -> StoreName {
    text.parse().unwrap()
}

const NONE: &[&str] = &[];

const TWO: &str = "datastore: one1\n\tcomment first\n\tgc-atime-thing on\n\tkeep-last 3\n\tmaintenance-mode type=read-only\n\tpath /srv/one\n\tverify-new true\n\ndatastore: two2\n\tpath /srv/two\n";

#[test]
fn created_listed_updated_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = ConfigDir::new(folder.path());
    let stores = Datastores::new(&dir);
    assert_eq!(stores.list().unwrap(), (vec![], ConfigDigest::of(b"")));
    let mut store = DatastoreConfig::new(name("store1"), "/srv/store1".parse().unwrap());
    store.comment = Some("a comment".parse().unwrap());
    stores.create(&store).unwrap();
    stores.create(&DatastoreConfig::new(name("store2"), "/srv/2".parse().unwrap())).unwrap();
    let expected = "datastore: store1\n\tcomment a comment\n\tpath /srv/store1\n\ndatastore: store2\n\tpath /srv/2\n";
    assert_eq!(content(&dir), expected);
    let (list, digest) = stores.list().unwrap();
    assert_eq!((list.len(), &list[0]), (2, &store));
    let saved = stores
        .update(&name("store1"), &["comment"], Some(&digest), |config| {
            config.gc_schedule = Some("sat 18:15".parse()?);
            Ok(())
        })
        .unwrap();
    assert_eq!(stores.get(&name("store1")).unwrap(), saved);
    stores.remove(&name("store2"), None).unwrap();
    assert_eq!(content(&dir), "datastore: store1\n\tgc-schedule sat 18:15\n\tpath /srv/store1\n");
}

#[test]
fn what_an_update_does_not_name_stays() {
    let (_folder, dir) = folder(TWO);
    let stores = Datastores::new(&dir);
    stores.update(&name("two2"), NONE, None, |_| Ok(())).unwrap();
    assert_eq!(content(&dir), TWO);
    let change = |config: &mut DatastoreConfig| {
        config.comment = Some("new".parse()?);
        Ok(())
    };
    stores.update(&name("one1"), &["keep-last"], None, change).unwrap();
    assert_eq!(content(&dir), TWO.replace("first", "new").replace("\tkeep-last 3\n", ""));
}

#[test]
fn nothing_is_saved_when_something_is_wrong() {
    let (_folder, dir) = folder(TWO);
    let stores = Datastores::new(&dir);
    let one = name("one1");
    let errno = |result: Result<_, ConfigError>| result.map(drop).unwrap_err().errno();

    let taken = DatastoreConfig::new(one.clone(), "/srv/x".parse().unwrap());
    assert_eq!(stores.create(&taken).unwrap_err().errno(), nix::libc::EEXIST);
    let relative = DatastoreConfig::new(name("three"), "srv/x".parse().unwrap());
    assert_eq!(stores.create(&relative).unwrap_err().errno(), nix::libc::EINVAL);
    let stale = ConfigDigest::of(b"something else");
    let error = stores.update(&one, NONE, Some(&stale), |_| Ok(())).unwrap_err();
    assert_eq!(error.errno(), nix::libc::ESTALE);
    assert!(error.to_string().contains("datastore.cfg"), "{error}");
    assert_eq!(errno(stores.remove(&one, Some(&stale))), nix::libc::ESTALE);
    assert_eq!(errno(stores.remove(&name("none"), None)), nix::libc::ENOENT);
    assert_eq!(errno(stores.get(&name("none"))), nix::libc::ENOENT);
    assert_eq!(errno(stores.update(&one, &["path"], None, |_| Ok(()))), nix::libc::EINVAL);
    let moved = |config: &mut DatastoreConfig| {
        config.path = "/elsewhere".parse()?;
        Ok(())
    };
    assert_eq!(errno(stores.update(&one, NONE, None, moved)), nix::libc::EINVAL);
    let renamed = |config: &mut DatastoreConfig| {
        config.name = name("other");
        Ok(())
    };
    assert_eq!(errno(stores.update(&one, NONE, None, renamed)), nix::libc::EINVAL);
    let _lock = dir.lock(".datastore.lck").unwrap();
    assert_eq!(errno(stores.update(&one, NONE, None, |_| Ok(()))), nix::libc::EBUSY);
    assert_eq!(content(&dir), TWO);
}

#[test]
fn a_broken_file_fails_every_call_and_stays() {
    let broken = [
        "datastore: one1\n\tpath /srv/one\n\tgc-schedule never\n",
        "datastore: one1\n\tpath srv/one\n",
        "datastore: one1\n\tpath /srv/one\n\tpath /srv/two\n",
        "datastore: one1\n\tcomment x\n",
        "store: one1\n\tpath /srv/one\n",
        "datastore: one1\n\tpath /srv/one\n\tnotify-user a@pam!token\n",
        "datastore: one1\n\tpath /srv/one\n\ttuning chunk-order=name\n",
        "datastore: one1\n\tpath /srv/one\n\tmaintenance-mode closed\n",
        "datastore: one1\n\tpath /srv/one\n\tkeep-last 0\n",
    ];
    for text in broken {
        let (_folder, dir) = folder(text);
        let stores = Datastores::new(&dir);
        let error = stores.list().unwrap_err();
        assert!(matches!(error, ConfigError::Syntax { .. }), "{text:?}: {error}");
        assert!(error.to_string().contains("datastore.cfg: line "), "{error}");
        assert!(stores.remove(&name("one1"), None).is_err());
        assert_eq!(content(&dir), text);
    }
    let (_folder, dir) = folder("");
    fs::write(dir.file("datastore.cfg"), b"datastore: one1\n\tpath /\xff\n").unwrap();
    assert!(Datastores::new(&dir).list().unwrap_err().to_string().contains("line 2"));
}

#[test]
fn deletion_is_not_left() {
    let (_folder, dir) = folder("datastore: one1\n\tmaintenance-mode delete\n\tpath /srv/one\n");
    let stores = Datastores::new(&dir);
    let one = name("one1");
    assert!(stores.update(&one, &["maintenance-mode"], None, |_| Ok(())).is_err());
    let other = |text: &'static str| {
        move |config: &mut DatastoreConfig| {
            config.maintenance_mode = Some(text.parse()?);
            Ok(())
        }
    };
    assert!(stores.update(&one, NONE, None, other("offline")).is_err());
    stores.update(&one, NONE, None, other("delete,message=soon")).unwrap();
}

#[test]
fn stores_of_later_releases() {
    let text = "datastore: one1\n\tbacking-device 9da37a55-aac7-4deb-91c6-482b3b675f30\n\tpath pbs/one\n\ndatastore: two2\n\tbackend type=s3,client=c,bucket=b\n\tpath /srv/cache\n";
    let (_folder, dir) = folder(text);
    let stores = Datastores::new(&dir);
    let removable = stores.get(&name("one1")).unwrap();
    assert_eq!(removable.base_path().unwrap(), PathBuf::from("/mnt/datastore/one1"));
    let bucket = stores.get(&name("two2")).unwrap();
    assert_eq!(bucket.base_path().unwrap_err().errno(), nix::libc::EOPNOTSUPP);
    stores.update(&name("two2"), NONE, None, |_| Ok(())).unwrap();
    assert_eq!(content(&dir), text);
}
