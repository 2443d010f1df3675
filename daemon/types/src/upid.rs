//! UPIDs, the identities of tasks (`config.md` §9.1).
//!
//! `UPID:{node}:{pid}:{pstart}:{task id}:{start time}:{type}:{id}:{user}:` with hexadecimal numbers. It is
//! also the name of the task's log file, so its text never changes between reading and writing.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;
use crate::{AuthId, ParseError};

const KIND: &str = "UPID";

/// The identity of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    text: Box<str>,
    parts: UpidParts,
}

/// What a UPID tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpidParts {
    /// Name of the host, up to its first dot.
    pub node: String,
    /// Process that runs the task.
    pub pid: u32,
    /// When that process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub pstart: u64,
    /// Number of the task within its process, from 0.
    pub task_id: u64,
    /// When the task started, in UNIX seconds.
    pub starttime: u32,
    /// What kind of work it is, such as `tape-backup`.
    pub worker_type: String,
    /// What it works on, unescaped; none for work without an object.
    pub worker_id: Option<String>,
    /// Who started it.
    pub auth_id: AuthId,
}

impl Upid {
    /// The identity made of these parts.
    pub fn new(parts: UpidParts) -> Result<Self, ParseError> {
        let id = parts.worker_id.as_deref().map(escape_worker_id).unwrap_or_default();
        let text = format!(
            "UPID:{}:{:08X}:{:08X}:{:08X}:{:08X}:{}:{id}:{}:",
            parts.node,
            parts.pid,
            parts.pstart,
            parts.task_id,
            parts.starttime,
            parts.worker_type,
            parts.auth_id
        );
        text.parse()
    }

    /// The parts.
    pub fn parts(&self) -> &UpidParts {
        &self.parts
    }

    /// The text, which is also the name of the log file.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Name of the folder under `tasks/` that holds the log: the low byte of the process's start time
    /// (`config.md` §9.2).
    pub fn log_directory(&self) -> String {
        format!("{:02X}", self.parts.pstart & 0xff)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Upid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parts = parse(text).map_err(|reason| ParseError::new(KIND, text, reason))?;
        Ok(Self { text: text.into(), parts })
    }
}

serde_as_text!(Upid);

fn parse(text: &str) -> Result<UpidParts, String> {
    if text.contains(char::is_whitespace) {
        return Err("must not hold blanks".into());
    }
    let fields: Vec<&str> = text.split(':').collect();
    let &["UPID", node, pid, pstart, task_id, starttime, worker_type, worker_id, auth_id, ""] =
        fields.as_slice()
    else {
        return Err("must be 'UPID:' and eight fields, each ended by ':'".into());
    };
    if !is_node_name(node) {
        return Err(format!("'{node}' is no host name"));
    }
    if worker_type.is_empty() || worker_type.contains('/') || worker_id.contains('/') {
        return Err("the task's type must not be empty, type and id must not hold '/'".into());
    }
    let worker_id = match worker_id {
        "" => None,
        id => Some(unescape_worker_id(id).ok_or("the task's id holds a broken escape")?),
    };
    Ok(UpidParts {
        node: node.into(),
        pid: hex(pid, 8)? as u32,
        pstart: hex(pstart, 9)?,
        task_id: hex(task_id, 16)?,
        starttime: hex(starttime, 8)? as u32,
        worker_type: worker_type.into(),
        worker_id,
        auth_id: auth_id.parse().map_err(|error: ParseError| error.to_string())?,
    })
}

fn is_node_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    text.bytes().all(inner) && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

/// A number of at least eight hexadecimal digits of either case.
fn hex(text: &str, digits_max: usize) -> Result<u64, String> {
    let digits = text.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits || !(8..=digits_max).contains(&text.len()) {
        return Err(format!("'{text}' must be 8 to {digits_max} hexadecimal digits"));
    }
    u64::from_str_radix(text, 16).map_err(|error| error.to_string())
}

/// Writes a worker id so that it can stand in a file name: `/` as `-`, letters, digits, `_` and `.`
/// (but not in front) as they are, everything else as `\xNN`.
pub fn escape_worker_id(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for (index, byte) in id.bytes().enumerate() {
        match byte {
            b'/' => text.push('-'),
            b'.' if index == 0 => text.push_str("\\x2e"),
            b'_' | b'.' => text.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// Undoes [`escape_worker_id`]; none where the text holds any other escape or no UTF-8.
pub fn unescape_worker_id(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' => bytes.push(b'/'),
            b'\\' => {
                let (digits, after) = rest.strip_prefix(b"x")?.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
                bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?);
                rest = after;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GC: &str = "UPID:elsa:00004F37:0039E469:00000000:5CA78B83:garbage_collection::root@pam:";

    #[test]
    fn parts_and_log_directory() {
        let upid: Upid = GC.parse().unwrap();
        let parts = upid.parts();
        assert_eq!((parts.pid, parts.pstart, parts.starttime), (20279, 0x39e469, 0x5ca7_8b83));
        assert_eq!((&*parts.worker_type, &parts.worker_id), ("garbage_collection", &None));
        assert_eq!((upid.log_directory(), upid.to_string()), ("69".into(), GC.into()));
    }

    #[test]
    fn the_text_stays_as_it_was() {
        let text = r"UPID:pbs1:000020f3:10003CD51:0000000000000047:6B044119:tape-backup:store1\x3A-a:a@pbs!t:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!(upid.as_str(), text);
        assert_eq!(upid.parts().worker_id.as_deref(), Some("store1:/a"));
        assert_eq!((upid.parts().task_id, upid.log_directory()), (0x47, "51".into()));
    }

    #[test]
    fn ids_are_escaped() {
        let rows = [
            ("pbs2:local:local::pbs2-local", r"pbs2\x3alocal\x3alocal\x3a\x3apbs2\x2dlocal"),
            ("store1:vm/100", r"store1\x3avm-100"),
            ("-:src:dst:a/b:job1", r"\x2d\x3asrc\x3adst\x3aa-b\x3ajob1"),
            (".hidden", r"\x2ehidden"),
        ];
        for (plain, escaped) in rows {
            assert_eq!(escape_worker_id(plain), escaped);
            assert_eq!(unescape_worker_id(escaped).as_deref(), Some(plain));
        }
        for bad in [r"a\n", r"a\x", r"a\x2", r"a\xg0", r"a\x+1", "\\", r"\xff"] {
            assert_eq!(unescape_worker_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_upid() {
        let rows = [
            "",
            "UPID:",
            &GC[..GC.len() - 1],
            &GC.replace("00004F37", "0004F37"),
            &GC.replace("0039E469", "039E469"),
            &GC.replace("5CA78B83", "05CA78B83"),
            &GC.replace("elsa", "el sa"),
            &GC.replace("elsa", "-elsa"),
            &GC.replace("elsa", "elsa.example"),
            &GC.replace("garbage_collection", ""),
            &GC.replace("garbage_collection", "../x"),
            &GC.replace("::root", ":a/b:root"),
            &GC.replace("root@pam", "root"),
            &GC.replace("root@pam", "root@pam:x"),
            &GC.replace("UPID", "upid"),
            &format!("{GC}\n"),
        ];
        for text in rows {
            assert!(text.parse::<Upid>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn made_of_parts_and_back(
            pid: u32,
            pstart in 0u64..(1 << 36),
            task_id: u64,
            starttime: u32,
            id in "[ -~äß]{0,40}",
        ) {
            let parts = UpidParts {
                node: "pbs-1".into(),
                pid,
                pstart,
                task_id,
                starttime,
                worker_type: "tape-backup".into(),
                worker_id: Some(id).filter(|id| !id.is_empty()),
                auth_id: "alice@pbs!sync".parse().unwrap(),
            };
            let upid = Upid::new(parts.clone()).unwrap();
            let read: Upid = upid.as_str().parse().unwrap();
            prop_assert_eq!(read.parts(), &parts);
        }
    }
}
