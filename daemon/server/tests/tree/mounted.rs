//! What programs make of the tree.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reel_fs::{AllowAll, MountOptions, mount};
use reel_store::plain_digest;
use reeld::tree;

use crate::datastore::store1;
use crate::live;
use crate::server::Answer;
use crate::support::fixtures;

fn can_mount() -> bool {
    let can = fs::File::options().read(true).write(true).open("/dev/fuse").is_ok();
    if !can {
        eprintln!("skipped: this computer can't mount");
    }
    can
}

#[test]
fn ls_and_cp_work_and_rm_is_harmless() {
    let Some(fixtures) = fixtures() else { return };
    if !can_mount() {
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

#[test]
fn a_remote_is_read_and_one_that_hangs_holds_up_only_those_who_look_there() {
    let Some(folder) = live::folder().filter(|_| can_mount()) else { return };
    let hangs = Arc::new(AtomicBool::new(false));
    let hanging = Arc::clone(&hangs);
    let (daemon, server) =
        live::over(&folder, move |_| hanging.load(Ordering::SeqCst).then_some(Answer::Nothing));
    let (at, root) = (tempfile::tempdir().unwrap(), tree::root(Arc::clone(&daemon.reeld)));
    let options = MountOptions::default();
    let mounted =
        mount(root, at.path(), Arc::new(daemon.spawner()), Arc::new(AllowAll), &options).unwrap();
    let listed = Command::new("ls").arg("-lR").arg(at.path().join("remotes")).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("drive-tpmstate0-backup.img"));
    let (from, to) = (at.path().join(live::SNAPSHOT), daemon.base.path().join("copy"));
    // Listed with 151 bytes, as it is stored; nothing of its 161 is lost by who trusts the size of what is open.
    let packed = format!("tar -C {} -cf - qemu-server.conf | tar -xOf -", from.display());
    let unpacked = Command::new("sh").arg("-c").arg(packed).output().unwrap().stdout;
    assert_eq!(plain_digest(&unpacked).to_string(), live::CONF_SUM);
    for (file, sum) in [("drive-scsi0.img", live::IMAGE_SUM), ("qemu-server.conf", live::CONF_SUM)]
    {
        assert!(Command::new("cp").arg(from.join(file)).arg(&to).status().unwrap().success());
        assert_eq!(plain_digest(&fs::read(&to).unwrap()).to_string(), sum);
    }

    hangs.store(true, Ordering::SeqCst);
    daemon.pass_seconds(10);
    let before = server.asked().len();
    let datastores = at.path().join("remotes/pbs2/datastores");
    let look = || Command::new("ls").arg(&datastores).stdout(Stdio::null()).spawn().unwrap();
    let mut looks: Vec<_> = (0..16).map(|_| look()).collect();
    while server.asked().len() == before {
        std::thread::yield_now();
    }
    let listed = Command::new("ls").arg("-l").arg(at.path()).output().unwrap();
    assert!(listed.status.success());
    assert!(fs::read_to_string(at.path().join("remotes/pbs2/config")).unwrap().contains("host: "));
    for look in &mut looks {
        assert!(look.try_wait().unwrap().is_none(), "it must wait");
        look.kill().unwrap();
        assert!(!look.wait().unwrap().success());
    }
    mounted.unmount().unwrap();
}
