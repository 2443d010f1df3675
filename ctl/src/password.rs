//! Passwords on their way to the daemon: asked for, from a file or standard input, or on the command line after all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use reel_types::commands::{Invocation, RemoteCreate, UserCreate};
use serde_json::Value;

use crate::failure::Failure;
use crate::run::complain;

const PASSWORD: &str = "password";
const FILE: &str = "password-file";

/// Finds the password of a command that takes one.
pub fn complete(invocation: &mut Invocation) -> Result<(), Failure> {
    if invocation.info.param(PASSWORD).is_none() {
        return Ok(());
    }
    if let Some(password) = invocation.params.get(PASSWORD).and_then(Value::as_str) {
        hide_and_warn(
            password,
            "others can see a password on the command line; leave it out to be asked for it, or use --password-file",
        );
        return Ok(());
    }
    if invocation.params.get(FILE).and_then(Value::as_str) == Some("-") {
        let password = line_of(&mut io::stdin().lock())?;
        invocation.params.remove(FILE);
        invocation.params.insert(PASSWORD.into(), password.into());
        return Ok(());
    }
    let is_needed = match invocation.info.path {
        path if path == RemoteCreate::INFO.path => true,
        path if path == UserCreate::INFO.path => has_own_password(invocation),
        _ => false,
    };
    if is_needed && !invocation.params.contains_key(FILE) && io::stdin().is_terminal() {
        invocation.params.insert(PASSWORD.into(), ask_twice()?.into());
    }
    Ok(())
}

/// Whether the server itself knows the user's password.
fn has_own_password(invocation: &Invocation) -> bool {
    let user = invocation.params.get("userid").and_then(Value::as_str).unwrap_or_default();
    user.ends_with("@pbs")
}

pub(crate) fn line_of(reader: &mut impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn ask_twice() -> Result<String, Failure> {
    ask_and_verify("Password: ")
}

/// Asks, and asks again.
pub(crate) fn ask_and_verify(prompt: &str) -> Result<String, Failure> {
    let password = ask(prompt)?;
    if password != ask("Verify password: ")? {
        return Err(Failure::Options("the two passwords are not the same".into()));
    }
    Ok(password)
}

/// Asks on the terminal, which does not show what is typed.
pub(crate) fn ask(prompt: &str) -> Result<String, Failure> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(terminal.as_fd()).map_err(io::Error::from)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(terminal.as_fd(), SetArg::TCSAFLUSH, &silent).map_err(io::Error::from)?;
    // Behind the prompt nothing is shown, and nothing that was typed is thrown away.
    let prompted = (&terminal).write_all(prompt.as_bytes()).map_err(Failure::from);
    let line = prompted.and_then(|()| line_of(&mut io::BufReader::new(&terminal)));
    tcsetattr(terminal.as_fd(), SetArg::TCSAFLUSH, &before).map_err(io::Error::from)?;
    (&terminal).write_all(b"\n")?;
    line
}

/// Overwrites a secret in the list of processes, and says why it should not have been there.
pub(crate) fn hide_and_warn(secret: &str, why: &str) {
    let hidden = hide_argument(secret.as_bytes());
    complain(&format!("WARN: {why}"));
    if let Err(error) = hidden {
        complain(&format!("WARN: it stays in the list of processes until the end: {error}"));
    }
}

/// Overwrites an argument in the list of processes.
pub(crate) fn hide_argument(secret: &[u8]) -> io::Result<()> {
    let title = fs::read("/proc/self/cmdline")?;
    let begin = title_address()?;
    let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
    for at in places(&title, secret) {
        memory.write_all_at(&vec![b'x'; secret.len()], begin + at as u64)?;
    }
    Ok(())
}

/// Where the arguments begin in memory (proc(5), field 48 of `stat`).
fn title_address() -> io::Result<u64> {
    let stat = io::read_to_string(File::open("/proc/self/stat")?)?;
    // The second field is a name in parentheses, which may hold blanks.
    let behind_name = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let address = behind_name.split_whitespace().nth(45).and_then(|field| field.parse().ok());
    address.filter(|address| *address != 0).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Where a secret stands in the title.
fn places<'t>(title: &'t [u8], secret: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    let windows = title.windows(secret.len().max(1)).enumerate();
    windows.filter(move |(_, window)| *window == secret).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        let title = b"reelctl\0--password\0abc\0--password=abc\0";
        assert_eq!(places(title, b"abc").collect::<Vec<_>>(), [19, 34]);
        assert_eq!(places(title, b"").count(), 0);
    }

    #[test]
    fn an_argument_is_hidden_from_the_list_of_processes() {
        // The title of a test is its own path.
        let before = fs::read("/proc/self/cmdline").unwrap();
        let name = before.split(|byte| *byte == 0).next().unwrap();
        let end = &name[name.len() - 4..].to_vec();
        hide_argument(end).unwrap();
        let after = fs::read("/proc/self/cmdline").unwrap();
        assert_eq!(places(&after, end).count(), 0);
        assert_eq!(after.len(), before.len());
    }

    #[test]
    fn a_line_ends_before_its_end() {
        assert_eq!(line_of(&mut &b"se cret \r\nmore"[..]).unwrap(), "se cret ");
        assert_eq!(line_of(&mut &b""[..]).unwrap(), "");
    }
}
