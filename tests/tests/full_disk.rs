//! A full disk under the state, the cache, the datastore and the tapes: said clearly, nothing torn, and well again
//! once there is space.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use reel_tests::scene::{SNAPSHOTS, off_tape, on_tape, only_set, stores_agree, target};
use reel_tests::{Daemon, Home, oracle};

/// A small file system of its own in memory, filled and freed at will.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one over `path`; none, with a word, where that is not allowed.
    fn over(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&path).expect("a mountpoint");
        let options = format!("size={size}");
        let mounted =
            mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()));
        match mounted {
            Ok(()) => Some(Self { path }),
            Err(error) => {
                eprintln!("skipped: no small disk to be had: {error}");
                None
            }
        }
    }

    /// Takes all the space that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.path.join("filler");
        let mut file = fs::File::create(&filler).expect("a filler");
        let zeros = vec![0; 64 << 10];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
    }
}

fn assert_no_space(said: &str) {
    assert!(said.contains("No space left") || said.contains("disk is full"), "{said}");
}

fn run_out(home: &Home, daemon: &Daemon<'_>, disk: &SmallDisk, line: &str) {
    let filler = disk.fill();
    assert_no_space(&daemon.ctl_fails(line));
    daemon.ctl("version");
    fs::remove_file(filler).expect("free the space");
    agree(home);
}

/// Catalogs and tapes agree.
fn agree(home: &Home) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    oracle(&["vtape-vs-catalogs".as_ref(), tapes.as_os_str(), state.as_os_str()]);
}

fn restores(home: &Home, daemon: &Daemon<'_>, store: &str) {
    let set = only_set(daemon);
    daemon.ctl(&format!("restore {set} {store}"));
    stores_agree(daemon, "store1", store);
    oracle(&["datastore".as_ref(), home.join(store).as_os_str()]);
}

/// With space again a backup and a restore do what they should.
fn is_well_again(home: &Home, daemon: &Daemon<'_>, filler: &Path) {
    fs::remove_file(filler).expect("free the space");
    daemon.ctl("backup store1 daily");
    target(home, daemon);
    restores(home, daemon, "store2");
    agree(home);
}

#[test]
fn a_full_disk_under_the_datastore() {
    let home = Home::new();
    let Some(disk) = SmallDisk::over(home.join("store2"), "40m") else { return };
    let daemon = on_tape(&home);
    target(&home, &daemon);
    let set = only_set(&daemon);
    run_out(&home, &daemon, &disk, &format!("restore {set} store2"));
    oracle(&["datastore".as_ref(), disk.path.as_os_str()]);
    let image = home.join("source/disk.img");
    let line = format!("snapshot create store2 vm/7 disk.img={}", image.display());
    run_out(&home, &daemon, &disk, &line);
    assert_eq!(daemon.json("snapshot list store2"), serde_json::json!([]));
    restores(&home, &daemon, "store2");
}

#[test]
fn a_full_disk_under_the_tapes() {
    let home = Home::new();
    let Some(disk) = SmallDisk::over(home.join("tapes"), "40m") else { return };
    let daemon = off_tape(&home);
    let filler = disk.fill();
    assert_no_space(&daemon.ctl_fails("backup store1 daily"));
    is_well_again(&home, &daemon, &filler);
}

#[test]
fn a_full_disk_under_the_state() {
    let home = Home::new();
    let Some(disk) = SmallDisk::over(home.join("state"), "2m") else { return };
    let daemon = off_tape(&home);
    let inventory = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");
    let filler = disk.fill();
    assert_no_space(&daemon.ctl_fails("backup store1 daily"));
    let kept = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");
    assert_eq!(kept, inventory, "an inventory is replaced whole or not at all");
    is_well_again(&home, &daemon, &filler);
}

#[test]
fn a_full_disk_under_the_cache() {
    let home = Home::new();
    let Some(disk) = SmallDisk::over(home.join("cache"), "2m") else { return };
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    let filler = disk.fill();
    // Chunks that can't be kept are given all the same.
    let image = daemon.at(&format!("media-sets/{set}/store1/{}/disk.img", SNAPSHOTS[0]));
    let read = fs::read(image).expect("read the image from tape");
    assert!(read == reel_tests::noise(8 << 20, 1));
    is_well_again(&home, &daemon, &filler);
}
