//! The words that ask about commands instead of being one (`cli-manager.md` §1.1): `help`, `printdoc`,
//! `bashcomplete`.

use reel_types::api::SOCKET_PATH;
use reel_types::commands::{
    Program, UsageError, completions, descriptions, find_command, manual, synopses, usage,
};

use crate::failure::Failure;

/// The text that the words ask for; none where they are a command.
pub fn special(program: &Program, words: &[String]) -> Result<Option<String>, Failure> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    match first.as_str() {
        "help" => help(program, rest).map(Some),
        "printdoc" => Ok(Some(manual(program))),
        "bashcomplete" => Ok(Some(completed(program, &typed_line()))),
        _ => words_before_help(words).map(|words| help(program, words)).transpose(),
    }
}

/// The words in front of a `--help`, which no command has as an option of its own.
fn words_before_help(words: &[String]) -> Option<&[String]> {
    let options = words.split(|word| word == "--").next()?;
    let at = options.iter().position(|word| matches!(word.as_str(), "--help" | "-h"))?;
    Some(&words[..at])
}

/// `help [COMMAND...] [--verbose]`.
fn help(program: &Program, words: &[String]) -> Result<String, Failure> {
    let is_verbose =
        |word: &&String| matches!(word.trim_start_matches('-'), "verbose" | "verbose=true");
    let verbose = words.iter().any(|word| word.starts_with('-') && is_verbose(&word));
    let words: Vec<String> = words.iter().filter(|word| !word.starts_with('-')).cloned().collect();
    match find_command(program, &words) {
        Ok((info, _)) if verbose => Ok(descriptions(program, info.path)),
        Ok((info, _)) => Ok(usage(program, info)),
        Err(UsageError::NoCommand { at }) if verbose => Ok(descriptions(program, &at)),
        Err(UsageError::NoCommand { at }) if at.is_empty() => {
            Ok(format!("{}\n{}", synopses(program, &at), general(program)))
        }
        Err(UsageError::NoCommand { at }) => Ok(synopses(program, &at)),
        Err(error) => Err(error.into()),
    }
}

/// What holds for all commands.
fn general(program: &Program) -> String {
    let (name, devices) = (program.name, variables(program));
    format!(
        "Words of commands may be shortened. '{name} help COMMAND' tells what a command takes,\n\
         '{name} help [COMMAND] --verbose' all of it.\n\n\
         '{name} --socket PATH COMMAND' asks the daemon at PATH; else REELFS_SOCKET says where it\n\
         is, else it is at {SOCKET_PATH}. Other variables: PROXMOX_OUTPUT_FORMAT,\n\
         PROXMOX_OUTPUT_NO_BORDER, PROXMOX_OUTPUT_NO_HEADER{devices}.\n"
    )
}

/// The variables that name a drive or device, as far as a program heeds them (`cli-tape.md` §2).
fn variables(program: &Program) -> &'static str {
    match program.name {
        "proxmox-backup-manager" => "",
        "proxmox-tape" => ", PROXMOX_TAPE_DRIVE",
        "pmt" => ", PROXMOX_TAPE_DRIVE,\nTAPE (a device)",
        "pmtx" => ", PROXMOX_TAPE_DRIVE,\nCHANGER (a device)",
        _ => ", PROXMOX_TAPE_DRIVE; for 'mt' TAPE and\nfor 'mtx' CHANGER, a device",
    }
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
fn completed(program: &Program, line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().skip(1).map(String::from).collect();
    let current = if line.ends_with(char::is_whitespace) { None } else { words.pop() };
    let all = completions(program, &words, current.as_deref().unwrap_or_default());
    all.iter().map(|word| format!("{word}\n")).collect()
}

#[cfg(test)]
mod tests {
    use reel_types::commands::{COMMANDS, REELCTL};

    use super::*;

    fn said(program: &str, words: &str) -> String {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        special(Program::called(program), &words).unwrap().unwrap()
    }

    fn help_of(words: &str) -> String {
        said("reelctl", words)
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
    fn help_is_an_option_too() {
        assert_eq!(help_of("--help"), help_of("help"));
        assert_eq!(help_of("backup -h"), help_of("help backup"));
        assert_eq!(help_of("pool create daily --help"), help_of("help pool create"));
        let words = ["snapshot", "notes", "update", "--", "--help"].map(String::from);
        assert_eq!(special(&REELCTL, &words).unwrap(), None);
    }

    #[test]
    fn a_group_of_commands_in_full() {
        insta::assert_snapshot!(help_of("help pool --verbose"));
    }

    #[test]
    fn the_manual_has_every_command() {
        let manual = help_of("printdoc");
        for info in COMMANDS {
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
        assert!(special(&REELCTL, &words).is_err());
    }

    #[test]
    fn programs_of_pbs_show_their_own_commands() {
        insta::assert_snapshot!(said("proxmox-tape", "help"));
        insta::assert_snapshot!(said("proxmox-backup-manager", "help"));
        insta::assert_snapshot!(said("pmt", "help"));
        insta::assert_snapshot!(said("pmtx", "help"));
        insta::assert_snapshot!(said("pmtx", "help unl"));
    }

    #[test]
    fn a_manual_names_its_program() {
        let manual = said("pmt", "printdoc");
        assert!(manual.starts_with("``pmt asf``\n-----------\n"), "{manual}");
        assert!(!manual.contains("pmt mt") && !manual.contains("``reelctl"), "{manual}");
    }

    #[test]
    fn completion_knows_the_program() {
        let of = |program: &str, line: &str| completed(Program::called(program), line);
        assert_eq!(of("proxmox-tape", "proxmox-tape med"), "media\n");
        assert_eq!(of("proxmox-tape", "proxmox-tape media "), "content\ndestroy\nlist\n");
        assert_eq!(of("proxmox-tape", "proxmox-tape st"), "status\n");
        assert_eq!(of("pmt", "/usr/bin/pmt fs"), "fsf\nfsfm\nfsr\n");
        assert_eq!(of("pmtx", "pmtx load --drive"), "--drivenum\n--drive\n");
        assert_eq!(of("proxmox-backup-manager", "proxmox-backup-manager p"), "pull\n");
    }

    #[test]
    fn completion() {
        let completed = |line: &str| completed(&REELCTL, line);
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
