//! Backup types, groups, times and snapshots, with their text forms (`datastore.md` §4).

use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use crate::text::serde_as_text;
use crate::{BackupId, Namespace, ParseError};

/// What was backed up; ordered as PBS sorts them (`datastore.md` §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupType {
    /// A container.
    Ct,
    /// A host's file system.
    Host,
    /// A virtual machine.
    Vm,
}

impl BackupType {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Ct, Self::Host, Self::Vm];

    /// `ct`, `host` or `vm`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ct => "ct",
            Self::Host => "host",
            Self::Vm => "vm",
        }
    }
}

impl fmt::Display for BackupType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BackupType {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| ParseError::new("backup type", text, "must be 'vm', 'ct' or 'host'"))
    }
}

serde_as_text!(BackupType);

/// All snapshots of one guest or host: `vm/100`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackupGroup {
    /// What kind of thing it is.
    pub kind: BackupType,
    /// Which one.
    pub id: BackupId,
}

impl BackupGroup {
    /// The path below a namespace's own: `vm/100`.
    pub fn path(&self) -> PathBuf {
        [self.kind.as_str(), self.id.as_str()].iter().collect()
    }
}

impl fmt::Display for BackupGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl FromStr for BackupGroup {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (kind, id) = text
            .split_once('/')
            .ok_or_else(|| ParseError::new("backup group", text, "must be 'type/id'"))?;
        Ok(Self { kind: kind.parse()?, id: id.parse()? })
    }
}

serde_as_text!(BackupGroup);

impl Ord for BackupGroup {
    /// By type, then numeric ids by value and before all others (`datastore.md` §4.3).
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind.cmp(&other.kind).then_with(|| {
            let (a, b) = (self.id.as_str(), other.id.as_str());
            match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            }
        })
    }
}

impl PartialOrd for BackupGroup {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// When a snapshot was made: UNIX seconds from 1 to the last day but one of the year 9999.
///
/// Its text is the canonical `YYYY-MM-DDTHH:MM:SSZ` and nothing else parses (`datastore.md` §4.1): a
/// folder with an impossible date isn't a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupTime(i64);

impl BackupTime {
    /// Where `jiff` ends: 9999-12-30T22:00:00Z.
    const MAX: i64 = 253_402_207_200;

    /// A time from UNIX seconds.
    pub fn from_epoch(seconds: i64) -> Result<Self, ParseError> {
        if (1..=Self::MAX).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(ParseError::new("backup time", seconds.to_string(), "must lie between 1970 and 9999"))
    }

    /// UNIX seconds.
    pub fn epoch(self) -> i64 {
        self.0
    }
}

impl fmt::Display for BackupTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(time) => f.pad(&time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl FromStr for BackupTime {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse =
            || ParseError::new("backup time", text, "must be 'YYYY-MM-DDTHH:MM:SSZ' (UTC)");
        if text.len() != 20 {
            return Err(refuse());
        }
        let parsed: Timestamp = text.parse().map_err(|_| refuse())?;
        let time = Self::from_epoch(parsed.as_second())?;
        if time.to_string() != text {
            return Err(refuse());
        }
        Ok(time)
    }
}

/// One backup of a group: `vm/100/2024-06-05T08:00:00Z`, ordered by group and time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snapshot {
    /// The group it belongs to.
    pub group: BackupGroup,
    /// When it was made.
    pub time: BackupTime,
}

impl Snapshot {
    /// The path below a namespace's own.
    pub fn path(&self) -> PathBuf {
        self.group.path().join(self.time.to_string())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.time)
    }
}

impl FromStr for Snapshot {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (group, time) = text
            .rsplit_once('/')
            .ok_or_else(|| ParseError::new("snapshot", text, "must be 'type/id/time'"))?;
        Ok(Self { group: group.parse()?, time: time.parse()? })
    }
}

serde_as_text!(Snapshot);

/// A group with its namespace; the text is its path in the datastore: `ns/a/vm/100`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupPath {
    /// The namespace it lies in.
    pub namespace: Namespace,
    /// The group.
    pub group: BackupGroup,
}

impl GroupPath {
    /// The path below the datastore's base (`datastore.md` §4.2).
    pub fn path(&self) -> PathBuf {
        self.namespace.path().join(self.group.path())
    }

    /// The snapshot of this group made at `time`.
    pub fn at(&self, time: BackupTime) -> SnapshotPath {
        SnapshotPath {
            namespace: self.namespace.clone(),
            snapshot: Snapshot { group: self.group.clone(), time },
        }
    }
}

impl fmt::Display for GroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_namespace(f, &self.namespace)?;
        self.group.fmt(f)
    }
}

impl FromStr for GroupPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (namespace, group) = split_tail(text, 2);
        Ok(Self { namespace: Namespace::from_path_text(namespace)?, group: group.parse()? })
    }
}

serde_as_text!(GroupPath);

/// A snapshot with its namespace; the text is the one on tape and in catalogs:
/// `ns/a/ns/b/vm/100/2022-01-01T00:00:00Z` (`tape-format.md` §7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotPath {
    /// The namespace it lies in.
    pub namespace: Namespace,
    /// The snapshot.
    pub snapshot: Snapshot,
}

impl SnapshotPath {
    /// The path below the datastore's base (`datastore.md` §4.2).
    pub fn path(&self) -> PathBuf {
        self.namespace.path().join(self.snapshot.path())
    }

    /// The group it belongs to, with its namespace.
    pub fn group_path(&self) -> GroupPath {
        GroupPath { namespace: self.namespace.clone(), group: self.snapshot.group.clone() }
    }
}

impl fmt::Display for SnapshotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_namespace(f, &self.namespace)?;
        self.snapshot.fmt(f)
    }
}

impl FromStr for SnapshotPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (namespace, snapshot) = split_tail(text, 3);
        Ok(Self { namespace: Namespace::from_path_text(namespace)?, snapshot: snapshot.parse()? })
    }
}

serde_as_text!(SnapshotPath);

fn write_namespace(f: &mut fmt::Formatter<'_>, namespace: &Namespace) -> fmt::Result {
    namespace.components().try_for_each(|component| write!(f, "ns/{component}/"))
}

/// Splits off the last `components` parts of a path text.
fn split_tail(text: &str, components: usize) -> (&str, &str) {
    let cut = text
        .rmatch_indices('/')
        .nth(components - 1)
        .map(|(position, _)| position)
        .filter(|position| *position > 0);
    match cut {
        Some(position) => (&text[..position], &text[position + 1..]),
        None => ("", text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_canonical_or_nothing() {
        for (text, epoch) in [("2020-06-26T13:56:05Z", 1_593_179_765), ("1970-01-01T00:00:01Z", 1)]
        {
            let time: BackupTime = text.parse().unwrap();
            assert_eq!((time.epoch(), time.to_string().as_str()), (epoch, text));
        }
        for bad in [
            "2020-02-31T00:00:00Z",
            "2020-06-26T13:56:05",
            "2020-06-26T13:56:05+0000",
            "2020-06-26 13:56:05Z",
            "1970-01-01T00:00:00Z",
            "2020-06-26T13:56:60Z",
            "2020-06-26t13:56:05z",
        ] {
            assert!(bad.parse::<BackupTime>().is_err(), "{bad}");
        }
        assert!(BackupTime::from_epoch(0).is_err());
        assert_eq!(BackupTime(BackupTime::MAX).to_string(), "9999-12-30T22:00:00Z");
    }

    #[test]
    fn groups_sort_as_pbs_sorts_them() {
        let sorted = ["ct/9", "host/a", "vm/2", "vm/100", "vm/100a", "vm/b"];
        let mut groups: Vec<BackupGroup> =
            sorted.iter().rev().map(|g| g.parse().unwrap()).collect();
        groups.sort();
        assert_eq!(groups.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn snapshot_paths_carry_their_namespace() {
        let text = "ns/a/ns/b/vm/100/2022-01-01T00:00:00Z";
        let path: SnapshotPath = text.parse().unwrap();
        assert_eq!(path.namespace.to_string(), "a/b");
        assert_eq!(path.to_string(), text);
        assert_eq!(path.path(), PathBuf::from(text));
        assert_eq!(path.group_path().to_string(), "ns/a/ns/b/vm/100");
        for bad in ["vm/100", "a/vm/100/2022-01-01T00:00:00Z", "/vm/100/2022-01-01T00:00:00Z"] {
            assert!(bad.parse::<SnapshotPath>().is_err(), "{bad}");
        }
    }
}
