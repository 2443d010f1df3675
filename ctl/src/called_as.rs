//! What is said about a command line before it is read, where the program is called by a name of PBS's.

use std::ffi::OsStr;
use std::path::Path;

use reel_types::commands::{PoolCreate, Program, find_command};

use crate::failure::Failure;

/// PBS's helper that runs as root and hands a tape key to a drive.
const KEY_HELPER: &str = "sg-tape-cmd";

/// The program by whose name this one is called.
pub fn program(path: Option<&OsStr>) -> &'static Program {
    Program::called(name_in(path))
}

/// Refuses what must not be taken for something else: whoever calls the helper wants a drive to have a key, or none
/// (`cli-tape.md` §13).
pub fn refuse_key_helper(path: Option<&OsStr>) -> Result<(), Failure> {
    if name_in(path) != KEY_HELPER {
        return Ok(());
    }
    Err(Failure::Options(format!(
        "{KEY_HELPER}: no drive got or lost a key; the daemon itself gives a drive the key of the media set in it, and \
         takes it away when it lets go of the drive. 'reelctl key restore' and 'reelctl key list' are for the keys; \
         see docs/encryption.md"
    )))
}

fn name_in(path: Option<&OsStr>) -> &str {
    path.and_then(|path| Path::new(path).file_name()).and_then(OsStr::to_str).unwrap_or_default()
}

/// The words of a `pool create` without `--drive`: the first manual shows it there, and no pool has a drive
/// (`cli-tape.md` §7). None where there is nothing to pass over.
pub fn without_drive_of_pool(program: &Program, words: &[String]) -> Option<Vec<String>> {
    let (info, rest) = find_command(program, words).ok()?;
    if *info != PoolCreate::INFO {
        return None;
    }
    let name = |word: &str| word.trim_start_matches('-').split('=').next() == Some("drive");
    let at = rest.iter().position(|word| word.starts_with('-') && name(word))?;
    let is_value = |word: &String| !word.starts_with('-');
    let has_value = !rest[at].contains('=') && rest.get(at + 1).is_some_and(is_value);
    let start = words.len() - rest.len() + at;
    Some([&words[..start], &words[start + 1 + usize::from(has_value)..]].concat())
}

#[cfg(test)]
mod tests {
    use reel_types::commands::REELCTL;

    use super::*;

    #[test]
    fn the_last_part_of_the_path_is_the_name() {
        let name = |path: &str| program(Some(OsStr::new(path))).name;
        assert_eq!(name("/usr/sbin/proxmox-tape"), "proxmox-tape");
        assert_eq!(name("proxmox-backup-manager"), "proxmox-backup-manager");
        assert_eq!(name("./pmt"), "pmt");
        assert_eq!(name("../bin/pmtx"), "pmtx");
        assert_eq!(name("/opt/pmtx/reelctl-1.0"), "reelctl");
        assert_eq!(program(None).name, "reelctl");
    }

    #[test]
    fn the_helper_for_keys_is_refused() {
        let refused = |path: &str| refuse_key_helper(Some(OsStr::new(path))).err();
        let path = "/usr/lib/x86_64-linux-gnu/proxmox-backup/sg-tape-cmd";
        let report = refused(path).unwrap().report(&REELCTL);
        assert!(report.starts_with("Error: sg-tape-cmd: no drive got or lost a key; "), "{report}");
        assert!(refused("proxmox-tape").is_none() && refused("reelctl").is_none());
    }

    #[test]
    fn no_pool_has_a_drive() {
        let left = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
            without_drive_of_pool(&REELCTL, &words).map(|words| words.join(" "))
        };
        for (line, expected) in [
            (
                "pool create daily --drive d1 --allocation always",
                "pool create daily --allocation always",
            ),
            ("pool create daily --drive=d1", "pool create daily"),
            ("po cr -drive d1 drive", "po cr drive"),
            ("pool create --drive", "pool create"),
            ("pool create --drive --comment x", "pool create --comment x"),
        ] {
            assert_eq!(left(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["pool list --drive d1", "pool create drive", "rewind --drive d1", "nosuch"] {
            assert_eq!(left(line), None, "{line}");
        }
    }
}
