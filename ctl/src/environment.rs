//! What the surroundings of the process say: variables, terminal, folder, time zone. Read once.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use reel_types::TimeZone;
use reel_types::api::SOCKET_PATH;
use reel_types::commands::Program;

use crate::called_as;
use crate::table::Style;

/// All that a command sees of its surroundings.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Whose command lines are taken.
    pub program: &'static Program,
    /// Where the daemon listens.
    pub socket: PathBuf,
    /// The folder that relative paths begin at.
    pub folder: PathBuf,
    /// `PROXMOX_OUTPUT_FORMAT`.
    pub output_format: Option<String>,
    /// `PROXMOX_TAPE_DRIVE`.
    pub drive: Option<String>,
    /// `TAPE`: the device of a drive, for `mt`.
    pub tape: Option<String>,
    /// `CHANGER`: the device of a changer, for `mtx`.
    pub changer: Option<String>,
    /// How tables look.
    pub style: Style,
    /// The zone of printed times.
    pub zone: TimeZone,
    /// Whether somebody looks at standard error.
    pub progress: bool,
}

impl Environment {
    /// Reads the surroundings of this process.
    pub fn of_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let is_set = |name: &str| std::env::var_os(name).is_some();
        let socket = std::env::var_os("REELFS_SOCKET").filter(|path| !path.is_empty());
        let style = Style {
            utf8: speaks_utf8(|name| std::env::var_os(name)),
            no_border: is_set("PROXMOX_OUTPUT_NO_BORDER"),
            no_header: is_set("PROXMOX_OUTPUT_NO_HEADER"),
            columns: terminal_columns(),
        };
        Self {
            program: called_as::program(std::env::args_os().next().as_deref()),
            socket: socket.map_or_else(|| SOCKET_PATH.into(), PathBuf::from),
            folder: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            output_format: text("PROXMOX_OUTPUT_FORMAT"),
            drive: text("PROXMOX_TAPE_DRIVE"),
            tape: text("TAPE"),
            changer: text("CHANGER"),
            style,
            zone: TimeZone::system(),
            progress: std::io::stderr().is_terminal(),
        }
    }
}

/// Whether the locale's codeset is UTF-8, by the variables in the C library's order.
fn speaks_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().filter_map(variable).find(|locale| !locale.is_empty());
    let Some(locale) = locale.as_ref().and_then(|locale| locale.to_str()) else { return false };
    let codeset = locale.split_once('.').map_or("", |(_, codeset)| codeset);
    let codeset = codeset.split('@').next().unwrap_or(codeset);
    codeset.eq_ignore_ascii_case("utf-8") || codeset.eq_ignore_ascii_case("utf8")
}

/// The width of standard output, where that is a terminal.
fn terminal_columns() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let (_rows, columns) = console::Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codeset_of_the_locale() {
        let utf8 = |pairs: &[(&str, &str)]| {
            speaks_utf8(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            })
        };
        assert!(utf8(&[("LANG", "de_DE.UTF-8")]));
        assert!(utf8(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(utf8(&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8@euro")]));
        assert!(!utf8(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert!(!utf8(&[("LC_CTYPE", "POSIX"), ("LANG", "de_DE.UTF-8")]));
        assert!(!utf8(&[("LANG", "de_DE.ISO-8859-1")]));
        assert!(!utf8(&[]));
    }
}
