//! Names that users give to things: "safe ids" of bounded length (`config.md` §3).

use crate::ParseError;
use crate::text::checked_text;

/// Checks `[A-Za-z0-9_][A-Za-z0-9._-]*` and the length in characters.
pub(crate) fn check_safe_id(
    kind: &'static str,
    text: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<(), ParseError> {
    let refuse = |reason: String| Err(ParseError::new(kind, text, reason));
    if !length.contains(&text.chars().count()) {
        return refuse(format!("must be {} to {} characters long", length.start(), length.end()));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        return refuse("may only contain letters, digits, '.', '_' and '-'".into());
    }
    if text.starts_with(['.', '-']) {
        return refuse("must begin with a letter, a digit or '_'".into());
    }
    Ok(())
}

macro_rules! safe_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $min:literal..=$max:literal) => {
        checked_text!($(#[$doc])* $name, |text| check_safe_id($kind, text, $min..=$max));

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<std::path::Path> for $name {
            fn as_ref(&self) -> &std::path::Path {
                std::path::Path::new(&*self.0)
            }
        }
    };
}

safe_id!(
    /// Name of a datastore, 3 to 32 characters (`datastore.md` §4.1).
    StoreName, "datastore name", 3..=32
);
safe_id!(
    /// Name of a media pool, 2 to 32 characters (`config.md` §3).
    PoolName, "media pool name", 2..=32
);
safe_id!(
    /// Label text of a medium, as on its bar code: 2 to 32 characters (`config.md` §3).
    LabelText, "media label", 2..=32
);
safe_id!(
    /// Name of a tape drive, 3 to 32 characters (`config.md` §3).
    DriveName, "drive name", 3..=32
);
safe_id!(
    /// Name of a media changer, 3 to 32 characters (`config.md` §3).
    ChangerName, "changer name", 3..=32
);
safe_id!(
    /// Name of a vault, the place of media outside the library, 3 to 32 characters.
    VaultName, "vault name", 3..=32
);
safe_id!(
    /// Id of a configured job, 3 to 32 characters (`config.md` §3).
    JobId, "job id", 3..=32
);
safe_id!(
    /// Name of a remote, 3 to 32 characters (`config.md` §3).
    RemoteName, "remote name", 3..=32
);
safe_id!(
    /// Name of an API token of a user, 3 to 64 characters (`remote-protocol.md` §3.1).
    TokenName, "token name", 3..=64
);
safe_id!(
    /// Id of a backup group; only the file system bounds its length (`datastore.md` §4.1).
    BackupId, "backup id", 1..=255
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_safe_ids() {
        for good in ["abc", "A00001L8", "_x-", "a.b", &"x".repeat(32)] {
            assert!(good.parse::<StoreName>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "-ab", ".ab", "a b", "a/b", "ab\n", "äbc", "..", &"x".repeat(33)] {
            assert!(bad.parse::<StoreName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_its_text_in_json() {
        let name: PoolName = "daily".parse().unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"daily\"");
        assert!(serde_json::from_str::<PoolName>("\"a b\"").is_err());
    }
}
