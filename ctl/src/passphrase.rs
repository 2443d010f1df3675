//! Passphrases of tape keys on their way to the daemon: asked for, from a file or standard input, never on the command
//! line (`cli-tape.md` §9).

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::Path;

use reel_types::commands::{Invocation, KeyChangePassphrase, KeyCreate, KeyRestore};
use serde_json::Value;

use crate::failure::Failure;
use crate::password::{ask, ask_and_verify, hide_and_warn, hide_argument, line_of};

const CURRENT: &str = "passphrase";
const NEW: &str = "new-passphrase";
const KEY: &str = "key";
const NAMES: [&str; 2] = [CURRENT, NEW];
const PROMPT: &str = "Tape Encryption Key Password: ";
/// No key is longer.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Finds the passphrases of a command that takes some, and the key that a file holds.
pub fn complete(invocation: &mut Invocation) -> Result<(), Failure> {
    if invocation.info.param(CURRENT).is_none() {
        return Ok(());
    }
    if let Some(key) = invocation.params.get(KEY).and_then(Value::as_str) {
        hide_and_warn(key, "others can see a key on the command line; use --key-file");
    }
    NAMES.iter().try_for_each(|name| refuse_argument(invocation, name))?;
    let mut stdin = io::stdin().lock();
    if invocation.info.path == KeyRestore::INFO.path {
        take_key_file(invocation, &mut stdin)?;
    }
    NAMES.iter().try_for_each(|name| take_line(invocation, name, &mut stdin))?;
    let may_ask = io::stdin().is_terminal();
    match invocation.info.path {
        path if path == KeyCreate::INFO.path => {
            need(invocation, CURRENT, may_ask, || ask_and_verify(PROMPT))
        }
        path if path == KeyRestore::INFO.path => need(invocation, CURRENT, may_ask, || ask(PROMPT)),
        path if path == KeyChangePassphrase::INFO.path => change(invocation, may_ask),
        _ => Ok(()),
    }
}

/// Others see a command line in the list of processes.
fn refuse_argument(invocation: &Invocation, name: &str) -> Result<(), Failure> {
    let Some(passphrase) = invocation.params.get(name).and_then(Value::as_str) else {
        return Ok(());
    };
    let _ = hide_argument(passphrase.as_bytes());
    Err(Failure::Options(format!(
        "'{name}': others see a passphrase on the command line; leave it out to be asked for it, or use --{name}-file"
    )))
}

fn change(invocation: &mut Invocation, may_ask: bool) -> Result<(), Failure> {
    let no_tty = |error| match error {
        Failure::Options(_) if !may_ask => {
            Failure::Options("unable to change passphrase - no tty".into())
        }
        other => other,
    };
    if invocation.params.get("force") != Some(&Value::Bool(true)) {
        let current = || ask("Current Tape Encryption Key Password: ");
        need(invocation, CURRENT, may_ask, current).map_err(no_tty)?;
    }
    let new = || ask_and_verify("New Tape Encryption Key Password: ");
    need(invocation, NEW, may_ask, new).map_err(no_tty)
}

/// Asks for what no file gives.
fn need(
    invocation: &mut Invocation,
    name: &str,
    may_ask: bool,
    ask: impl FnOnce() -> Result<String, Failure>,
) -> Result<(), Failure> {
    let is_given = |name: &str| invocation.params.contains_key(name);
    if is_given(name) || is_given(&file_of(name)) {
        return Ok(());
    }
    if !may_ask {
        return Err(Failure::Options("no password input mechanism available".into()));
    }
    invocation.params.insert(name.into(), ask()?.into());
    Ok(())
}

fn file_of(name: &str) -> String {
    format!("{name}-file")
}

/// A passphrase from standard input: a line for each that is to come from there, the current one first.
fn take_line(
    invocation: &mut Invocation,
    name: &str,
    stdin: &mut impl BufRead,
) -> Result<(), Failure> {
    let file = file_of(name);
    if invocation.params.get(&file).and_then(Value::as_str) != Some("-") {
        return Ok(());
    }
    invocation.params.remove(&file);
    invocation.params.insert(name.into(), line_of(stdin)?.into());
    Ok(())
}

/// Reads the file of a protected key as whoever calls may: the daemon would take none that others can read.
fn take_key_file(invocation: &mut Invocation, stdin: &mut impl Read) -> Result<(), Failure> {
    let Some(Value::String(path)) = invocation.params.remove("key-file") else { return Ok(()) };
    let mut text = String::new();
    let read = match path.as_str() {
        "-" if invocation.params.get("passphrase-file") == Some(&"-".into()) => {
            let text = "the key and the passphrase can't both come from standard input";
            return Err(Failure::Options(text.into()));
        }
        "-" => stdin.take(KEY_BYTES_MAX).read_to_string(&mut text),
        path => std::fs::File::open(Path::new(path))
            .and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::Options(format!("read the key in '{path}': {error}")))?;
    match invocation.params.insert(KEY.into(), text.into()) {
        Some(_) => Err(Failure::Options("give only one of --drive, --key and --key-file".into())),
        None => Ok(()),
    }
}
