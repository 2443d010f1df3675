//! The names that this program may be called by: links named as PBS's programs take their command lines unchanged, so that
//! scripts that were written for them run (`cli-tape.md` §§1, 11, 12, 14; `cli-manager.md` §1).

use std::ffi::OsStr;
use std::path::Path;

/// A level of a program's commands: a word, and the words that may follow it.
type Commands = &'static [(&'static str, &'static [&'static str])];

/// The commands of `proxmox-tape`, with `erase` of its first manual.
const TAPE: Commands = &[
    ("backup", &[]),
    ("backup-job", &["create", "list", "remove", "run", "show", "update"]),
    ("barcode-label", &[]),
    ("cartridge-memory", &[]),
    ("catalog", &[]),
    ("changer", &["config", "create", "list", "remove", "scan", "status", "transfer", "update"]),
    ("clean", &[]),
    ("drive", &["config", "create", "list", "remove", "scan", "update"]),
    ("eject", &[]),
    ("eod", &[]),
    ("erase", &[]),
    ("export-media", &[]),
    ("format", &[]),
    ("help", &[]),
    ("inventory", &[]),
    ("key", &["change-passphrase", "create", "list", "paperkey", "remove", "restore", "show"]),
    ("label", &[]),
    ("load-media", &[]),
    ("load-media-from-slot", &[]),
    ("media", &["content", "destroy", "list"]),
    ("pool", &["config", "create", "list", "remove", "update"]),
    ("read-label", &[]),
    ("restore", &[]),
    ("rewind", &[]),
    ("scan", &[]),
    ("status", &[]),
    ("unload", &[]),
    ("volume-statistics", &[]),
];

/// Those of `proxmox-backup-manager` that are here, too.
const MANAGER: Commands = &[
    ("acl", &["list", "update"]),
    ("cert", &["info", "update"]),
    ("datastore", &["create", "list", "remove", "show", "update"]),
    ("help", &[]),
    ("pull", &[]),
    ("remote", &["create", "list", "remove", "show", "update"]),
    ("sync-job", &["create", "list", "remove", "run", "show", "update"]),
    ("task", &["list", "log", "stop"]),
    (
        "user",
        &[
            "create",
            "delete-token",
            "generate-token",
            "list",
            "list-tokens",
            "permissions",
            "remove",
            "update",
        ],
    ),
];

/// Words that are of the program itself, whatever it is called.
const SPECIAL: [&str; 3] = ["help", "bashcomplete", "printdoc"];

/// Which program's command line the words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalledAs {
    /// Its own.
    Reelctl,
    /// `proxmox-tape`.
    Tape,
    /// `proxmox-backup-manager`.
    Manager,
    /// `pmt`: the commands of `mt`.
    Pmt,
    /// `pmtx`: the commands of `mtx`.
    Pmtx,
}

impl CalledAs {
    /// By the name in front of the command line.
    pub fn of(program: Option<&OsStr>) -> Self {
        match program.and_then(|path| Path::new(path).file_name()).and_then(OsStr::to_str) {
            Some("proxmox-tape") => Self::Tape,
            Some("proxmox-backup-manager") => Self::Manager,
            Some("pmt") => Self::Pmt,
            Some("pmtx") => Self::Pmtx,
            _ => Self::Reelctl,
        }
    }

    /// The words as a command line of `reelctl`.
    pub fn own_words(self, words: Vec<String>) -> Vec<String> {
        match self {
            Self::Reelctl => words,
            Self::Tape => expanded(words, TAPE),
            Self::Manager => expanded(words, MANAGER),
            Self::Pmt => below("mt", words),
            Self::Pmtx => below("mtx", words),
        }
    }
}

/// Takes `--drive` out of a `pool create`: the first manual shows it there, and no pool has a drive (`cli-tape.md` §7).
/// Whether there was one.
pub fn drop_drive_of_pool(words: &mut Vec<String>) -> bool {
    if words.first().is_none_or(|word| word != "pool") || words.get(1).is_none_or(|w| w != "create")
    {
        return false;
    }
    let Some(at) = words.iter().position(|w| w == "--drive" || w.starts_with("--drive=")) else {
        return false;
    };
    let has_value =
        words[at] == "--drive" && words.get(at + 1).is_some_and(|w| !w.starts_with('-'));
    words.drain(at..=at + usize::from(has_value));
    true
}

/// Writes shortened words out: what was unique among the commands of that program stays so beside those of `reelctl`.
fn expanded(mut words: Vec<String>, commands: Commands) -> Vec<String> {
    let Some(first) = words.first_mut() else { return words };
    let names: Vec<&str> = commands.iter().map(|(name, _)| *name).collect();
    let Some(whole) = unique(first, &names) else { return words };
    *first = whole.into();
    let below =
        commands.iter().find(|(name, _)| *name == whole).map_or(&[][..], |(_, below)| below);
    if let Some(second) = words.get_mut(1)
        && let Some(whole) = unique(second, below)
    {
        *second = whole.into();
    }
    words
}

/// The one name that begins so, or that is it.
fn unique<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    if let Some(name) = names.iter().find(|name| **name == word) {
        return Some(name);
    }
    let mut found = names.iter().filter(|name| !word.is_empty() && name.starts_with(word));
    match (found.next(), found.next()) {
        (Some(name), None) => Some(name),
        _ => None,
    }
}

fn below(command: &str, words: Vec<String>) -> Vec<String> {
    match words.split_first() {
        Some((first, rest)) if SPECIAL.contains(&first.as_str()) => {
            [first.clone(), command.into()].into_iter().chain(rest.iter().cloned()).collect()
        }
        _ => std::iter::once(command.into()).chain(words).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(program: &str, line: &str) -> String {
        let words = line.split_whitespace().map(str::to_string).collect();
        CalledAs::of(Some(OsStr::new(program))).own_words(words).join(" ")
    }

    #[test]
    fn a_name_chooses_the_grammar() {
        assert_eq!(words("reelctl", "med list"), "med list");
        assert_eq!(words("/usr/sbin/proxmox-tape", "med l --pool x"), "media list --pool x");
        assert_eq!(words("proxmox-tape", "dr s"), "drive scan");
        assert_eq!(words("proxmox-tape", "backup store1 daily"), "backup store1 daily");
        assert_eq!(words("proxmox-tape", "load-media-f 3"), "load-media-from-slot 3");
        assert_eq!(words("proxmox-backup-manager", "rem li"), "remote list");
        assert_eq!(words("proxmox-backup-manager", "us list-t a@pbs"), "user list-tokens a@pbs");
        assert_eq!(words("/usr/bin/pmt", "fsf 2 --drive d"), "mt fsf 2 --drive d");
        assert_eq!(words("pmtx", "status"), "mtx status");
        assert_eq!(words("pmtx", "help status"), "help mtx status");
        assert_eq!(words("pmt", ""), "mt");
    }

    #[test]
    fn no_pool_has_a_drive() {
        let dropped = |line: &str| {
            let mut words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
            drop_drive_of_pool(&mut words).then(|| words.join(" "))
        };
        assert_eq!(
            dropped("pool create daily --drive d1 --allocation always").unwrap(),
            "pool create daily --allocation always"
        );
        assert_eq!(dropped("pool create daily --drive=d1").unwrap(), "pool create daily");
        assert_eq!(dropped("pool create --drive").unwrap(), "pool create");
        assert_eq!(dropped("pool list --drive d1"), None);
        assert_eq!(dropped("pool create daily"), None);
    }

    #[test]
    fn what_is_not_unique_or_not_there_stays_as_it_is() {
        assert_eq!(words("proxmox-tape", "b x"), "b x");
        assert_eq!(words("proxmox-tape", "key re"), "key re");
        assert_eq!(words("proxmox-tape", "nosuch l"), "nosuch l");
        assert_eq!(words("proxmox-tape", ""), "");
        assert_eq!(words("proxmox-tape", "media verify A"), "media verify A");
    }

    #[test]
    fn every_command_is_one_of_ours() {
        for (name, below) in TAPE.iter().chain(MANAGER).filter(|(name, _)| *name != "help") {
            let paths: Vec<Vec<String>> = match below.is_empty() {
                true => vec![vec![(*name).into()]],
                false => below.iter().map(|word| vec![(*name).into(), (*word).into()]).collect(),
            };
            for path in paths {
                assert!(reel_types::commands::find_command(&path).is_ok(), "{path:?}");
            }
        }
    }
}
