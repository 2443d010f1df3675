//! `mt` and `mtx` on a device that is named by its path: done here, without the daemon (`cli-tape.md` §§11, 12).
//!
//! Nothing here knows whether the daemon uses the device: who names one instead of a drive does so on purpose.

use std::path::Path;

use reel_hw::scsi::DeviceType;
use reel_hw::tool::{self, MtVerb, MtxVerb, ToolError};
use reel_hw::{Cancel, ChangerOptions, ScsiChanger, transport};
use reel_types::commands::Invocation;
use serde_json::Value;

use crate::failure::Failure;
use crate::run::complain;

/// Whether the words name a drive, changer or device.
pub fn names_device(invocation: &Invocation) -> Result<bool, Failure> {
    let given = |name: &str| invocation.params.contains_key(name);
    let named = given("drive") || given("changer");
    if named && given("device") {
        let text = "a device and a drive or changer are given; name one of them";
        return Err(Failure::Options(text.into()));
    }
    Ok(named || given("device"))
}

/// Whether it is the kernel's driver that the command is for.
pub fn is_for_driver(invocation: &Invocation) -> bool {
    matches!(invocation.info.path, ["mt", "stoptions" | "stsetoptions" | "stclearoptions"])
}

/// What the command answered, null for nothing, where it needs no daemon.
pub fn done_here(invocation: &Invocation) -> Result<Option<Value>, Failure> {
    // With the defaults of what isn't given.
    let params = invocation.command()?.params();
    let device = params.get("device").and_then(Value::as_str).map(Path::new);
    let done = match *invocation.info.path {
        ["mt", word] => mt(&MtVerb::new(word, &params)?, device),
        ["mtx", word] => mtx(MtxVerb::new(word, &params)?, device),
        _ => Ok(None),
    };
    Ok(done?)
}

fn mt(verb: &MtVerb, device: Option<&Path>) -> Result<Option<Value>, ToolError> {
    if *verb == MtVerb::Scan {
        return tool::scan(DeviceType::Tape).map(Some);
    }
    let Some(path) = device else { return Ok(None) };
    say_device(path);
    if let Some((change, options)) = verb.driver_change() {
        transport::change_options(path, change, options)?;
        return Ok(Some(Value::Null));
    }
    verb.on_device(transport::open(path)?, &Cancel::new()).map(Some)
}

fn mtx(verb: MtxVerb, device: Option<&Path>) -> Result<Option<Value>, ToolError> {
    if verb == MtxVerb::Scan {
        return tool::scan(DeviceType::Changer).map(Some);
    }
    let Some(path) = device else { return Ok(None) };
    say_device(path);
    let outcome = mtx_on(verb, path);
    if verb.is_question() { Ok(Some(tool::wrapped(outcome))) } else { outcome.map(Some) }
}

fn mtx_on(verb: MtxVerb, path: &Path) -> Result<Value, ToolError> {
    let way = transport::open(path)?;
    verb.run(&mut ScsiChanger::open(way, ChangerOptions::default(), &Cancel::new())?)
}

/// So that who has it from the environment sees which it is.
fn say_device(path: &Path) {
    complain(&format!("using device {}", path.display()));
}

#[cfg(test)]
mod tests {
    use reel_hw::transport::{DriverOption, OptionChange};
    use reel_types::commands::{COMMANDS, REELCTL, parse_arguments};

    use super::*;

    fn invocation(line: &str) -> Invocation {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse_arguments(&REELCTL, &words).unwrap()
    }

    /// A verb of `mt` as both doors read it.
    fn verb(line: &str) -> MtVerb {
        let invocation = invocation(line);
        MtVerb::new(invocation.info.path[1], &invocation.command().unwrap().params()).unwrap()
    }

    #[test]
    fn every_command_is_a_verb() {
        let arguments = [
            ("count", "1"),
            ("size", "0"),
            ("options", "sili"),
            ("slot", "1"),
            ("from", "1"),
            ("to", "2"),
        ];
        let (mut of_mt, mut of_mtx) = (0, 0);
        for info in COMMANDS {
            let given = info.arguments().map(|param| {
                let (_, text) = arguments.iter().find(|(name, _)| *name == param.name).unwrap();
                text.to_string()
            });
            if !["mt", "mtx"].contains(&info.path[0]) {
                continue;
            }
            let line = [vec![info.name()], given.collect()].concat().join(" ");
            let params = invocation(&line).command().unwrap().params();
            if info.path[0] == "mt" {
                MtVerb::new(info.path[1], &params)
                    .unwrap_or_else(|error| panic!("{line}: {error}"));
                of_mt += 1;
            } else {
                MtxVerb::new(info.path[1], &params)
                    .unwrap_or_else(|error| panic!("{line}: {error}"));
                of_mtx += 1;
            }
        }
        assert_eq!((of_mt, of_mtx), (26, 7));
    }

    #[test]
    fn parameters_arrive() {
        assert_eq!(verb("mt weof"), MtVerb::Weof { count: 1 });
        assert_eq!(verb("mt weof 3"), MtVerb::Weof { count: 3 });
        assert_eq!(verb("mt erase"), MtVerb::Erase { fast: true });
        assert_eq!(verb("mt erase --fast false"), MtVerb::Erase { fast: false });
        let MtVerb::Options { modes, defaults } =
            verb("mt options --defaults --buffer_mode off --blocksize 512")
        else {
            panic!()
        };
        assert!(defaults);
        assert_eq!(
            (modes.compression, modes.blocksize, modes.buffer_mode),
            (None, Some(512), Some(false))
        );
        let invocation = invocation("mtx unload --slot 7");
        let params = invocation.command().unwrap().params();
        let expected = MtxVerb::Unload { drivenum: 0, slot: Some(7) };
        assert_eq!(MtxVerb::new("unload", &params).unwrap(), expected);
    }

    #[test]
    fn the_fifteen_options_of_the_driver_have_their_names() {
        let names = "buffer-writes async-writes read-ahead debugging two-fm fast-mteom auto-lock def-writes can-bsr \
                     no-blklims can-partitions scsi2locical sysv nowait sili";
        let set = verb(&format!("mt stsetoptions {names}"));
        assert_eq!(set.driver_change(), Some((OptionChange::Set, &DriverOption::ALL[..])));
        let one = verb("mt stclearoptions two-fm");
        assert_eq!(one.driver_change(), Some((OptionChange::Clear, &[DriverOption::TwoFm][..])));
        let none = verb("mt stoptions");
        assert_eq!(none.driver_change(), Some((OptionChange::Exactly, &[][..])));
    }
}
