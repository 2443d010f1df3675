//! The programs whose command lines are taken: `reelctl`, and those of PBS by whose names it may be called, so that
//! scripts that were written for them run (`cli-tape.md` §§1, 3–12, 14; `cli-manager.md` §§1, 3).

use super::COMMANDS;
use super::info::CommandInfo;

/// A level of a program's commands: a word, and the words that may follow it.
type Words = &'static [(&'static str, &'static [&'static str])];

/// A program's command line.
#[derive(Debug)]
pub struct Program {
    /// Its name, as help texts call it.
    pub name: &'static str,
    grammar: Grammar,
}

/// Which commands there are, and how they are called.
#[derive(Debug)]
enum Grammar {
    /// All, by their own words.
    Own,
    /// Those that have these words among their spellings.
    Chosen(Words),
    /// Those that begin with this word, without it.
    Below(&'static str),
}

/// This project's own program.
pub static REELCTL: Program = Program { name: "reelctl", grammar: Grammar::Own };

/// Those of PBS.
static OF_PBS: [Program; 4] = [
    Program { name: "proxmox-tape", grammar: Grammar::Chosen(TAPE) },
    Program { name: "proxmox-backup-manager", grammar: Grammar::Chosen(MANAGER) },
    Program { name: "pmt", grammar: Grammar::Below("mt") },
    Program { name: "pmtx", grammar: Grammar::Below("mtx") },
];

/// The commands of `proxmox-tape`.
const TAPE: Words = &[
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
    ("export-media", &[]),
    ("format", &[]),
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
const MANAGER: Words = &[
    ("acl", &["list", "update"]),
    ("cert", &["info", "update"]),
    ("datastore", &["create", "list", "remove", "show", "update"]),
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

impl Program {
    /// The program of that name; `reelctl` where there is none.
    pub fn called(name: &str) -> &'static Self {
        OF_PBS.iter().find(|program| program.name == name).unwrap_or(&REELCTL)
    }

    /// By which words the program calls a command; none where it lacks the command.
    pub fn path_of(&self, info: &CommandInfo) -> Option<&'static [&'static str]> {
        match self.grammar {
            Grammar::Own => Some(info.path),
            Grammar::Chosen(words) => info.spellings().find(|path| has(words, path)),
            Grammar::Below(first) => info.path.strip_prefix(&[first]),
        }
    }

    /// The commands of the program with their words.
    pub fn commands(
        &self,
    ) -> impl Iterator<Item = (&'static [&'static str], &'static CommandInfo)> {
        COMMANDS.iter().filter_map(|info| Some((self.path_of(info)?, *info)))
    }

    /// The commands of the program with all words that each goes by.
    pub(super) fn spellings(
        &self,
    ) -> impl Iterator<Item = (&'static [&'static str], &'static CommandInfo)> {
        self.commands().flat_map(|(path, info)| {
            let all = std::iter::once(path).chain(info.aliases.iter().copied());
            all.map(move |path| (path, info))
        })
    }
}

/// Whether the words of a command are among these.
fn has(words: Words, path: &[&str]) -> bool {
    words.iter().any(|(first, below)| match path {
        [one] => one == first && below.is_empty(),
        [one, two] => one == first && below.contains(two),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::find_command;
    use super::*;

    fn found(program: &str, line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        match find_command(Program::called(program), &words) {
            Ok((info, rest)) => format!("{} | {}", info.name(), rest.join(" ")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_name_chooses_the_grammar() {
        for (program, line, expected) in [
            ("reelctl", "po list", "pool list | "),
            ("anything", "po list", "pool list | "),
            ("proxmox-tape", "med l --pool x", "media list | --pool x"),
            ("proxmox-tape", "dr s", "drive scan | "),
            ("proxmox-tape", "backup store1 daily", "backup | store1 daily"),
            ("proxmox-tape", "load-media-f 3", "load-media-from-slot | 3"),
            ("proxmox-tape", "st", "drive status | "),
            ("proxmox-tape", "erase", "format | "),
            ("proxmox-backup-manager", "rem li", "remote list | "),
            ("proxmox-backup-manager", "us list-t a@pbs", "user list-tokens | a@pbs"),
            ("pmt", "fsf 2 --drive d", "mt fsf | 2 --drive d"),
            ("pmt", "tape", "mt tape-alert-flags | "),
            ("pmtx", "st", "mtx status | "),
        ] {
            assert_eq!(found(program, line), expected, "{program} {line}");
        }
    }

    #[test]
    fn what_a_program_lacks_it_does_not_take() {
        for (program, line, expected) in [
            ("proxmox-tape", "", "no command specified."),
            ("proxmox-tape", "b x", "command 'b' is not unique: backup, backup-job, barcode-label"),
            ("proxmox-tape", "key re", "command 're' is not unique: remove, restore"),
            ("proxmox-tape", "remote list", "no such command 'remote'"),
            ("proxmox-tape", "media verify A", "no such command 'verify'"),
            ("proxmox-tape", "drive status", "no such command 'status'"),
            ("proxmox-backup-manager", "backup a b", "no such command 'backup'"),
            ("pmt", "mt status", "no such command 'mt'"),
            ("pmt", "inquiry", "no such command 'inquiry'"),
            ("pmtx", "rewind", "no such command 'rewind'"),
        ] {
            assert_eq!(found(program, line), expected, "{program} {line}");
        }
    }

    #[test]
    fn every_word_of_the_tables_is_a_command_here() {
        for (name, words) in [("proxmox-tape", TAPE), ("proxmox-backup-manager", MANAGER)] {
            let told: usize = words.iter().map(|(_, below)| below.len().max(1)).sum();
            assert_eq!(Program::called(name).commands().count(), told, "{name}");
        }
        let below = |name| Program::called(name).commands().count();
        assert_eq!((below("pmt"), below("pmtx")), (26, 7));
    }
}
