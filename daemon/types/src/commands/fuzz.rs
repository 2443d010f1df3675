//! Bodies of the fuzz targets of the command doors. What becomes a command must become the same
//! command again from its own parameters, whichever door it came through.

use super::{COMMANDS, Command, REELCTL, Verb, completions, parse_arguments, parse_ctl_line};

fn comes_back(command: &Command) {
    let again = Command::from_params(&command.info().name(), &command.params());
    assert_eq!(again.as_ref(), Ok(command));
}

/// A line written to a `ctl` file that takes all commands.
pub fn ctl_line(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    let verbs: Vec<_> = COMMANDS.iter().map(|info| Verb::new(info.path, info)).collect();
    if let Ok(made) = parse_ctl_line(&verbs, line) {
        comes_back(&made.command);
    }
}

/// A command line, its words separated by NUL.
pub fn arguments(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let words: Vec<String> = text.split('\0').map(String::from).collect();
    let parsed = parse_arguments(&REELCTL, &words);
    if let Ok(command) = parsed.and_then(|invocation| invocation.command()) {
        comes_back(&command);
    }
    if let Some((current, before)) = words.split_last() {
        assert!(
            completions(&REELCTL, before, current).iter().all(|word| word.starts_with(current))
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words that commands are made of, so that many lines become one.
    const WORDS: &[&str] = &[
        "media",
        "list",
        "pool",
        "create",
        "backup",
        "restore",
        "snapshot",
        "catalog",
        "--pool",
        "--",
        "--all",
        "--limit=7",
        "store1",
        "poolA",
        "vm/1",
        "a.img=/a",
        "ns=a",
        "scan=yes",
        "--scan",
        "no",
        "'x y'",
        "abcbc951-68b8-4596-9658-00823cb5cc8a",
        "store=b,c",
        "-",
        "update",
        "--delete",
        "comment",
        "comment=é",
        "id=1",
        "--comment",
        "7",
        "",
    ];

    proptest! {
        #[test]
        fn any_bytes(data: Vec<u8>) {
            ctl_line(&data);
            arguments(&data);
        }

        #[test]
        fn words_of_commands(words in prop::collection::vec(prop::sample::select(WORDS), 0..8)) {
            ctl_line(words.join(" ").as_bytes());
            arguments(words.join("\0").as_bytes());
        }

        #[test]
        fn both_doors_lead_to_the_same_command(notes in "\\PC{0,30}", behind_dashes: bool) {
            let quoted = format!("'{}'", notes.replace('\'', r"'\''"));
            let line = format!(
                "snapshot notes update store1 vm/1/2024-06-05T08:00:00Z notes={quoted}"
            );
            let verb = Verb::new(&["snapshot", "notes", "update"], &super::super::SnapshotNotesUpdate::INFO);
            let by_line = parse_ctl_line(&[verb], &line).unwrap().command;
            let words = ["snapshot", "notes", "update", "store1", "vm/1/2024-06-05T08:00:00Z"];
            let mut words: Vec<String> = words.iter().map(ToString::to_string).collect();
            if behind_dashes {
                words.extend(["--".to_owned(), notes]);
            } else {
                words.push(format!("--notes={notes}"));
            }
            let by_words = parse_arguments(&REELCTL, &words).unwrap().command().unwrap();
            prop_assert_eq!(by_line, by_words);
        }
    }
}
