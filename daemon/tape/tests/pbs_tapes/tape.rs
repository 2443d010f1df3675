//! Unpacks the tapes that PBS wrote and reads their files without a drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reel_hw::ContentHeader;
use reel_hw::stream::{BlockHeader, TAPE_BLOCK_SIZE};
use reel_tape::{ContentKind, MediaLabel, MediaSetLabel, StateDir};

/// The unpacked archive.
pub struct Fixtures {
    folder: tempfile::TempDir,
    pub source: PathBuf,
}

/// One file of a medium.
pub struct TapeFile {
    pub header: ContentHeader,
    pub kind: ContentKind,
    /// What follows the content header.
    pub content: Vec<u8>,
    pub incomplete: bool,
}

/// One medium.
pub struct Tape {
    pub label: MediaLabel,
    pub set_label: Option<MediaSetLabel>,
    pub files: Vec<TapeFile>,
}

impl Fixtures {
    /// None (and a word about it) where there are no fixtures.
    pub fn unpack() -> Option<Self> {
        let source = std::env::var_os("REELFS_FIXTURES").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures"),
            PathBuf::from,
        );
        let archive = source.join("pbs-tape-public.tar.zst");
        if !archive.exists() {
            eprintln!("skipped: no fixtures at {}", source.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("tar")
            .args(["--zstd", "--no-same-owner", "-xf"])
            .arg(&archive)
            .arg("-C")
            .arg(folder.path())
            .args(["vtape", "var-lib-proxmox-backup/tape"])
            .status()
            .expect("tar runs");
        assert!(status.success(), "tar can't unpack {}", archive.display());
        Some(Self { folder, source })
    }

    pub fn state(&self) -> StateDir {
        StateDir::new(self.folder.path().join("var-lib-proxmox-backup/tape"))
    }

    /// All tapes, those in the vault too.
    pub fn tapes(&self) -> Vec<Tape> {
        let library = self.folder.path().join("vtape");
        let mut tapes = Vec::new();
        for folder in [library.clone(), library.join("vault")] {
            for item in fs::read_dir(&folder).unwrap() {
                let name = item.unwrap().file_name().into_string().unwrap();
                let label = name.strip_prefix("tape-").and_then(|name| name.strip_suffix(".json"));
                tapes.extend(label.map(|label| read_tape(&folder, label)));
            }
        }
        assert!(tapes.len() > 15, "only {} tapes", tapes.len());
        tapes
    }
}

impl TapeFile {
    pub fn header_data(&self) -> &[u8] {
        &self.content[..self.header.size as usize]
    }

    pub fn body(&self) -> &[u8] {
        &self.content[self.header.size as usize..]
    }
}

fn read_tape(folder: &Path, label: &str) -> Tape {
    let mut files: Vec<TapeFile> = (0..)
        .map(|position| folder.join(format!("tapefile-{position}-{label}.json")))
        .take_while(|path| path.exists())
        .map(|path| read_file(&fs::read(path).unwrap()))
        .collect();
    let first = files.remove(0);
    let label = MediaLabel::read(first.kind.magic(), first.header.size, first.content.as_slice());
    let label = label.unwrap();
    assert_eq!(label.to_json().unwrap(), first.content, "as PBS writes it");
    let set_label = (!files.is_empty()).then(|| {
        let second = files.remove(0);
        let content = second.content.as_slice();
        let label = MediaSetLabel::read(second.kind.magic(), second.header.size, content).unwrap();
        assert_eq!(label.to_json().unwrap(), second.content, "as PBS writes it");
        label
    });
    Tape { label, set_label, files }
}

fn read_file(bytes: &[u8]) -> TapeFile {
    let mut content = Vec::new();
    let mut last = None;
    for (sequence, block) in (0..).zip(bytes.chunks(TAPE_BLOCK_SIZE)) {
        let header = BlockHeader::of_block(block, sequence).unwrap();
        content.extend(&block[header.payload()]);
        last = Some(header);
    }
    let last = last.unwrap();
    assert!(last.end_of_stream);
    let header = ContentHeader::read_from(&mut content.as_slice()).unwrap();
    let kind = ContentKind::from_magic(header.content_magic.0).unwrap();
    content.drain(..reel_hw::CONTENT_HEADER_SIZE);
    TapeFile { header, kind, content, incomplete: last.incomplete }
}
