//! `remotes/NAME/datastores/` over a server that gives the datastore of the fixtures, honestly or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::libc;
use reel_fs::EntryKind;

use crate::datastore::{give_key, restored_by_pbs};
use crate::pbs::Pbs;
use crate::server::{Answer, Asked, Server, ok, refusal};
use crate::support::{Daemon, fixtures, unpacked};

const STORE: &str = "remotes/pbs2/datastores/store1";
pub const SNAPSHOT: &str = "remotes/pbs2/datastores/store1/vm/100/2024-06-05T08:00:00Z";
pub const CONF_SUM: &str = "5b7db9d752dda9a56bdeb23f562051ee383814ed3fc2888e86fded9ed7caad2e";
pub const IMAGE_SUM: &str = "40ac976bf0ecc2f9dcf26983d9a860ad7f861907ab524c980bd12c6e3781235c";

pub fn folder() -> Option<PathBuf> {
    Some(unpacked(&fixtures()?, "pbs-datastore-store1.tar.zst").join("store1"))
}

/// A daemon with the remote `pbs2`, which is the datastore in `folder` as `twist` wants it.
pub fn over(
    folder: &Path,
    twist: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
) -> (Daemon, Server) {
    let daemon = Daemon::new(|_| {});
    let server = daemon.block_on(Pbs::serve(folder, twist));
    let endpoint = server.endpoint();
    let section = format!(
        "remote: pbs2\n\tauth-id u@pbs!tok\n\tfingerprint {}\n\thost {}\n\tpassword c2VjcmV0\n\tport {}\n",
        server.fingerprint, endpoint.host, endpoint.port
    );
    fs::write(daemon.base.path().join("etc/remote.cfg"), section).unwrap();
    (daemon, server)
}

/// How often the server was asked for something of this beginning.
fn asked(server: &Server, beginning: &str) -> usize {
    server.asked().iter().filter(|asked| asked.target.starts_with(beginning)).count()
}

#[test]
fn every_file_reads_as_pbs_restored_it() {
    let (Some(fixtures), Some(folder)) = (fixtures(), folder()) else { return };
    let (daemon, server) = over(&folder, |_| None);
    let encrypted = format!("{STORE}/vm/300/2024-06-05T08:00:00Z");
    assert_eq!(daemon.errno(&format!("{encrypted}/drive-scsi0.img")), libc::ENOKEY);
    assert!(daemon.bytes(&format!("{encrypted}/raw/drive-scsi0.img.fidx")).is_ok());
    let section = format!("datastore: store1\n\tpath {}\n", folder.display());
    fs::write(daemon.base.path().join("etc/datastore.cfg"), section).unwrap();
    for key in ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"] {
        give_key(&daemon, &fixtures, key);
    }
    for (path, sum) in restored_by_pbs(&fixtures) {
        let path = format!("remotes/pbs2/{path}");
        assert_eq!(daemon.sha256(&path), Ok(sum), "{path}");
        let size = daemon.find(&path).unwrap().size;
        assert_eq!(daemon.bytes(&path).unwrap().len() as u64, size, "{path}");
    }
    // One connection for the lists, one for each snapshot.
    assert_eq!(server.connections(), asked(&server, "/api2/json/reader") + 1);
}

#[test]
fn look_ups_ask_once_and_bring_nothing() {
    let Some(folder) = folder() else { return };
    let (daemon, server) = over(&folder, |_| None);
    assert!(server.asked().is_empty());
    assert_eq!(daemon.names("remotes"), ["ctl", "last-error", "last-task", "pbs2"]);
    assert!(daemon.names("remotes/pbs2").contains(&"datastores".to_owned()));
    assert!(server.asked().is_empty(), "nobody looked inside");
    let here = Daemon::with_store("store1", &folder);
    let is_shared = |path: &String| {
        ["/ctl", "/last-error", "/last-task", "/config", "/config.json", "/missing-files"]
            .iter()
            .all(|own| !path.ends_with(own))
    };
    let mut here: Vec<String> =
        here.walk("datastores/store1").into_iter().filter(is_shared).collect();
    let mut there: Vec<String> = daemon
        .walk(STORE)
        .into_iter()
        .filter(is_shared)
        .map(|path| path.replacen("remotes/pbs2/", "", 1))
        .collect();
    here.sort();
    there.sort();
    assert_eq!(there, here);
    assert_eq!(asked(&server, "/api2/json/reader"), 0);
    let questions = server.asked().len();
    daemon.walk(STORE);
    assert_eq!(server.asked().len(), questions, "all is still good");
    assert_eq!(asked(&server, "/api2/json/admin/datastore/store1/namespace"), 1);
    assert_eq!(daemon.link(&format!("{STORE}/vm/100/latest")), "2024-06-07T08:05:36Z");
    assert_eq!(daemon.list(&format!("{SNAPSHOT}/raw"))[0].1, EntryKind::File);
}

#[test]
fn facts_come_with_the_lists_and_the_size_of_a_blob_when_it_was_read() {
    let Some(folder) = folder() else { return };
    let (daemon, _server) = over(&folder, |_| None);
    let image = daemon.find(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap();
    assert_eq!((image.size, image.allocated), (41_943_040, 41_943_040));
    let opened = daemon.open(&format!("{SNAPSHOT}/drive-scsi0.img"), libc::O_RDONLY).unwrap();
    let image = daemon.find(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap();
    assert!(image.allocated < image.size, "{}", image.allocated);
    daemon.engine.release(opened);
    assert_eq!(daemon.cat(&format!("{SNAPSHOT}/protected")), "true\n");
    let status = daemon.cat(&format!("{SNAPSHOT}/status"));
    assert!(
        status.contains("finished: true\n") && status.contains("crypt-mode: none\n"),
        "{status}"
    );
    assert!(daemon.cat(&format!("{STORE}/vm/100/owner")).contains('@'));
    let conf = format!("{SNAPSHOT}/qemu-server.conf");
    let text = daemon.bytes(&conf).unwrap();
    assert_eq!(daemon.find(&conf).unwrap().size, text.len() as u64);
    let raw = daemon.bytes(&format!("{SNAPSHOT}/raw/drive-scsi0.img.fidx")).unwrap();
    let stored = folder.join("vm/100/2024-06-05T08:00:00Z/drive-scsi0.img.fidx");
    assert!(raw == fs::read(stored).unwrap());
    let status = daemon.cat("remotes/pbs2/status");
    assert!(status.contains("reachable: true\n") && status.contains("version: 3.2\n"), "{status}");
}

#[test]
fn a_server_that_is_gone_or_refuses_is_told_and_comes_back() {
    let Some(folder) = folder() else { return };
    let (refuses, gone) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (refusing, going) = (Arc::clone(&refuses), Arc::clone(&gone));
    let (daemon, _server) = over(&folder, move |asked| {
        if going.load(Ordering::SeqCst) {
            return Some(Answer::Breaks(Vec::new()));
        }
        let refuses = refusing.load(Ordering::SeqCst) && asked.target.ends_with("admin/datastore");
        refuses.then(|| refusal(403, "permission check failed."))
    });
    let error = daemon.find(STORE).unwrap_err();
    assert_eq!(error.errno(), libc::EACCES);
    assert!(error.message().contains("permission check failed."), "{error}");
    let noted = daemon.cat("remotes/pbs2/last-error");
    assert!(noted.contains(" EACCES ") && noted.contains("permission check failed."), "{noted}");
    refuses.store(false, Ordering::SeqCst);
    assert!(daemon.find(STORE).is_err(), "a refusal is kept as long as an answer");
    daemon.pass_seconds(10);
    assert!(daemon.find(STORE).is_ok());
    gone.store(true, Ordering::SeqCst);
    daemon.pass_seconds(10);
    assert_eq!(daemon.find(STORE).unwrap_err().errno(), libc::EHOSTDOWN);
    let questions = || daemon.cat("remotes/pbs2/last-error").lines().count();
    let before = questions();
    assert_eq!(daemon.find(&format!("{STORE}/vm")).unwrap_err().errno(), libc::EHOSTDOWN);
    assert_eq!(questions(), before, "it is not asked again so soon");
    let status = daemon.cat("remotes/pbs2/status");
    assert!(status.contains("reachable: false\n") && status.contains("last-error: "), "{status}");
    gone.store(false, Ordering::SeqCst);
    daemon.pass_seconds(10);
    assert!(daemon.find(&format!("{STORE}/vm")).is_ok());
}

#[test]
fn a_server_that_hangs_holds_up_nobody_else() {
    let Some(folder) = folder() else { return };
    let (daemon, _server) =
        over(&folder, |asked| asked.target.ends_with("admin/datastore").then_some(Answer::Nothing));
    let looks: Vec<_> = (0..100).map(|_| daemon.begin_look(STORE)).collect();
    assert!(daemon.names("remotes/pbs2").contains(&"status".to_owned()));
    assert_eq!(daemon.names("datastores"), ["ctl", "last-error", "last-task"]);
    assert_eq!(daemon.cat("abi"), "1\n");
    assert!(looks.iter().all(|look| !look.is_finished()));
}

#[test]
fn a_connection_that_breaks_is_opened_anew_once() {
    let Some(folder) = folder() else { return };
    let broken = AtomicUsize::new(0);
    let (daemon, server) = over(&folder, move |asked| {
        let breaks =
            asked.target.starts_with("/chunk") && broken.fetch_add(1, Ordering::SeqCst) == 0;
        breaks.then(|| Answer::Breaks(b"half of it".to_vec()))
    });
    assert_eq!(daemon.sha256(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap(), IMAGE_SUM);
    assert_eq!(asked(&server, "/api2/json/reader"), 2);
}

/// What reading an image says where each chunk is answered so.
fn with_chunks(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Option<(i32, String)> {
    let folder = folder()?;
    let (daemon, _server) =
        over(&folder, move |asked| asked.target.starts_with("/chunk").then(|| answer(asked)));
    let error = daemon.bytes(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap_err();
    let noted = daemon.cat("remotes/pbs2/last-error");
    assert!(noted.contains("read drive-scsi0.img.fidx"), "{noted}");
    Some((error.errno(), error.message().to_owned()))
}

fn blob(plain: &[u8]) -> Vec<u8> {
    reel_store::DataBlob::encode(plain, None, true).unwrap().raw().to_vec()
}

#[test]
fn chunks_that_are_not_what_the_index_says_are_refused() {
    let wrong = with_chunks(|_| ok(blob(b"something else")));
    let Some((errno, message)) = wrong else { return };
    assert_eq!(errno, libc::EIO);
    assert!(message.contains("holds data of digest"), "{message}");

    let (errno, message) = with_chunks(|_| ok(b"no blob at all".to_vec())).unwrap();
    assert_eq!(errno, libc::EIO, "{message}");

    // 4 GiB of zeros in a few hundred kilobytes.
    let bomb = bomb();
    let (errno, message) = with_chunks(move |_| ok(bomb.clone())).unwrap();
    assert_eq!(errno, libc::EIO);
    assert!(message.contains("16777216"), "{message}");

    let (errno, message) = with_chunks(|_| refusal(400, "reading file failed")).unwrap();
    assert_eq!(errno, libc::EIO);
    assert!(message.contains("reading file failed"), "{message}");

    let (errno, message) = with_chunks(|_| Answer::Breaks(vec![7; 1000])).unwrap();
    assert_eq!(errno, libc::EHOSTDOWN, "{message}");
}

/// A compressed blob whose CRC is right and that decodes to far more than a chunk may have.
fn bomb() -> Vec<u8> {
    let zeros = vec![0; 64 << 20];
    let compressed = zstd::encode_all(&zeros[..], 1).unwrap();
    let mut raw = blob(&zeros[..1 << 20])[..8].to_vec();
    raw.extend(crc32fast_of(&compressed).to_le_bytes());
    raw.extend(compressed);
    raw
}

fn crc32fast_of(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    }) ^ !0
}

#[test]
fn an_index_of_absurd_length_and_one_of_another_image_are_refused() {
    let Some(folder) = folder() else { return };
    let absurd = |asked: &Asked| {
        let is_index = asked.target.ends_with("drive-scsi0.img.fidx");
        is_index.then(|| ok(vec![0; 8 << 20]))
    };
    let (daemon, _server) = over(&folder, absurd);
    let error = daemon.bytes(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
    assert!(error.message().contains("which can't be"), "{error}");
    assert!(daemon.bytes(&format!("{SNAPSHOT}/qemu-server.conf")).is_ok());

    let other = fs::read(folder.join("vm/100/2024-06-06T08:02:48Z/drive-scsi0.img.fidx")).unwrap();
    let (daemon, _server) = over(&folder, move |asked| {
        let is_index = asked.target.ends_with("drive-scsi0.img.fidx");
        is_index.then(|| ok(other.clone()))
    });
    let error = daemon.bytes(&format!("{SNAPSHOT}/drive-scsi0.img")).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
    assert!(error.message().contains("csum"), "{error}");
}

#[test]
fn a_snapshot_that_vanishes_is_an_error_and_no_end() {
    let Some(folder) = folder() else { return };
    let gone = Arc::new(AtomicBool::new(false));
    let going = Arc::clone(&gone);
    let (daemon, _server) = over(&folder, move |asked| {
        let is_gone = going.load(Ordering::SeqCst);
        let matters = asked.target.starts_with("/chunk") || asked.target.contains("json/reader");
        (is_gone && matters).then(|| match asked.target.starts_with("/chunk") {
            true => Answer::Breaks(Vec::new()),
            false => refusal(400, "snapshot does not exist."),
        })
    });
    let handle = daemon.open(&format!("{SNAPSHOT}/drive-scsi0.img"), libc::O_RDONLY).unwrap();
    gone.store(true, Ordering::SeqCst);
    let error = daemon.read(handle, 0, 1 << 20).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
    assert!(error.message().contains("does not exist"), "{error}");
    daemon.engine.release(handle);
}
