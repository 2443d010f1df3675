//! What programs make of the tree.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::Arc;

use reel_fs::{AllowAll, MountOptions, mount};
use reel_store::plain_digest;
use reeld::tree;

use crate::datastore::store1;
use crate::support::fixtures;

#[test]
fn ls_and_cp_work_and_rm_is_harmless() {
    let Some(fixtures) = fixtures() else { return };
    if fs::File::options().read(true).write(true).open("/dev/fuse").is_err() {
        eprintln!("skipped: this computer can't mount");
        return;
    }
    let daemon = store1(&fixtures);
    let (at, root) = (tempfile::tempdir().unwrap(), tree::root(Arc::clone(&daemon.reeld)));
    let options = MountOptions::default();
    let mounted =
        mount(root, at.path(), Arc::new(daemon.spawner()), Arc::new(AllowAll), &options).unwrap();
    let listed = Command::new("ls").arg("-lR").arg(at.path()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("drive-tpmstate0-backup.img"));

    let snapshot = at.path().join("datastores/store1/vm/100/2024-06-05T08:00:00Z");
    let (from, to) = (snapshot.join("drive-scsi0.img"), daemon.base.path().join("copy"));
    let copied = Command::new("cp").arg("-p").arg(&from).arg(&to).status().unwrap();
    assert!(copied.success());
    let sum = plain_digest(&fs::read(&to).unwrap()).to_string();
    assert_eq!(sum, "40ac976bf0ecc2f9dcf26983d9a860ad7f861907ab524c980bd12c6e3781235c");
    let (shown, copy) = (fs::metadata(&from).unwrap(), fs::metadata(&to).unwrap());
    assert_eq!((copy.len(), copy.mtime()), (shown.len(), 1_717_574_400));
    assert!(copy.blocks() * 512 <= shown.blocks() * 512 + 4096, "holes stay holes");

    let removed = Command::new("rm").arg("-rf").arg(&snapshot).output().unwrap();
    assert!(!removed.status.success());
    assert!(from.exists());
    let noted = fs::read_to_string(snapshot.join("last-error")).unwrap();
    assert!(noted.contains("'forget 2024-06-05T08:00:00Z'"), "{noted}");
    mounted.unmount().unwrap();
}
