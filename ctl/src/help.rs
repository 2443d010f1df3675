//! The words that ask about commands instead of being one (`cli-manager.md` §1.1): `help`, `printdoc`,
//! `bashcomplete`.

use reel_types::api::SOCKET_PATH;
use reel_types::commands::{
    UsageError, completions, descriptions, find_command, manual, synopses, usage,
};

use crate::failure::{Failure, PROGRAM};

/// The text that the words ask for; none where they are a command.
pub fn special(words: &[String]) -> Result<Option<String>, Failure> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    match first.as_str() {
        "help" => help(rest).map(Some),
        "printdoc" => Ok(Some(manual(PROGRAM))),
        "bashcomplete" => Ok(Some(completed(&typed_line()))),
        _ => Ok(None),
    }
}

/// `help [COMMAND...] [--verbose]`.
fn help(words: &[String]) -> Result<String, Failure> {
    let is_verbose =
        |word: &&String| matches!(word.trim_start_matches('-'), "verbose" | "verbose=true");
    let verbose = words.iter().any(|word| word.starts_with('-') && is_verbose(&word));
    let words: Vec<String> = words.iter().filter(|word| !word.starts_with('-')).cloned().collect();
    match find_command(&words) {
        Ok((info, _)) if verbose => Ok(descriptions(PROGRAM, info.path)),
        Ok((info, _)) => Ok(usage(PROGRAM, info)),
        Err(UsageError::NoCommand { at }) if verbose => Ok(descriptions(PROGRAM, &at)),
        Err(UsageError::NoCommand { at }) if at.is_empty() => {
            Ok(format!("{}\n{}", synopses(PROGRAM, &at), general()))
        }
        Err(UsageError::NoCommand { at }) => Ok(synopses(PROGRAM, &at)),
        Err(error) => Err(error.into()),
    }
}

/// What holds for all commands.
fn general() -> String {
    format!(
        "Words of commands may be shortened. '{PROGRAM} help COMMAND' tells what a command takes,\n\
         '{PROGRAM} help [COMMAND] --verbose' all of it.\n\n\
         '{PROGRAM} --socket PATH COMMAND' asks the daemon at PATH; else REELFS_SOCKET says where it\n\
         is, else it is at {SOCKET_PATH}. Other variables: PROXMOX_OUTPUT_FORMAT,\n\
         PROXMOX_OUTPUT_NO_BORDER, PROXMOX_OUTPUT_NO_HEADER, PROXMOX_TAPE_DRIVE; for 'mt' TAPE and\n\
         for 'mtx' CHANGER, a device.\n"
    )
}

/// The line being typed, up to the cursor, as bash tells it.
fn typed_line() -> String {
    let line = std::env::var("COMP_LINE").unwrap_or_default();
    let cursor = std::env::var("COMP_POINT").ok().and_then(|point| point.parse().ok());
    match cursor.and_then(|cursor| line.get(..cursor)) {
        Some(typed) => typed.to_owned(),
        None => line,
    }
}

/// The completions of a line's last word, one a line.
fn completed(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().skip(1).map(String::from).collect();
    let current = if line.ends_with(char::is_whitespace) { None } else { words.pop() };
    let all = completions(&words, current.as_deref().unwrap_or_default());
    all.iter().map(|word| format!("{word}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help_of(words: &str) -> String {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        special(&words).unwrap().unwrap()
    }

    #[test]
    fn all_commands() {
        insta::assert_snapshot!(help_of("help"));
    }

    #[test]
    fn one_command() {
        insta::assert_snapshot!(help_of("help backup"));
        insta::assert_snapshot!(help_of("help snapshot create"));
        insta::assert_snapshot!(help_of("help task list"));
    }

    #[test]
    fn a_group_of_commands_in_full() {
        insta::assert_snapshot!(help_of("help pool --verbose"));
    }

    #[test]
    fn the_manual_has_every_command() {
        let manual = help_of("printdoc");
        for info in reel_types::commands::COMMANDS {
            assert!(
                manual.contains(&format!("\n``reelctl {}``\n", info.name()))
                    || manual.starts_with(&format!("``reelctl {}``\n", info.name())),
                "{}",
                info.name()
            );
        }
    }

    #[test]
    fn help_for_what_there_is_not() {
        let words = ["help", "nosuch"].map(String::from);
        assert!(special(&words).is_err());
    }

    #[test]
    fn completion() {
        assert_eq!(completed("reelctl med"), "media\nmedia-set\nmedia-verify-job\n");
        let words = "content\ndestroy\nhealth\nlist\nmark\nmove\nverified\nverify\n";
        assert_eq!(completed("reelctl media "), words);
        assert_eq!(
            completed("reelctl media list --up"),
            "--update-status\n--update-status-changer\n"
        );
        assert_eq!(completed("reelctl media list --update-status "), "true\nfalse\n");
        assert_eq!(completed("reelctl media content --backup-type h"), "host\n");
        assert_eq!(completed("reelctl pool list --output-format json"), "json\njson-pretty\n");
        assert_eq!(completed("reelctl snapshot protected update store1 vm/1 "), "true\nfalse\n");
        assert_eq!(completed("reelctl nosuch "), "");
    }
}
