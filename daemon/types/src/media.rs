//! Identity, place and state of media (`tape-state.md` §3, §5).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::text::serde_as_text;
use crate::{ChangerName, ParseError, VaultName};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The 16 bytes in textual order, as they stand on media.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.hyphenated().to_string())
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            /// Wants the hyphenated lower-case form (`config.md` §3).
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let refuse = || ParseError::new($kind, text, "must be a hyphenated lower-case UUID");
                let uuid = Uuid::try_parse(text).map_err(|_| refuse())?;
                if uuid.hyphenated().to_string() != text {
                    return Err(refuse());
                }
                Ok(Self(uuid))
            }
        }

        serde_as_text!($name);
    };
}

uuid_id!(
    /// Identity of a medium, from its label (`tape-format.md` §5.1).
    MediaId,
    "media uuid"
);
uuid_id!(
    /// Identity of a media set (`tape-format.md` §5.2).
    MediaSetId,
    "media set uuid"
);

impl MediaSetId {
    /// Whether this is the all-zero id, which means "empty, only reserved" (`tape-format.md` §2).
    pub fn is_unassigned(&self) -> bool {
        self.0.is_nil()
    }
}

/// Where a medium is (`tape-state.md` §3); text `offline`, `online-NAME`, `vault-NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum MediaLocation {
    /// On a shelf beside the drive.
    #[default]
    Offline,
    /// In the library of that name.
    Online(ChangerName),
    /// Carried away to that vault.
    Vault(VaultName),
}

impl fmt::Display for MediaLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("offline"),
            Self::Online(changer) => write!(f, "online-{changer}"),
            Self::Vault(vault) => write!(f, "vault-{vault}"),
        }
    }
}

impl FromStr for MediaLocation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "offline" {
            return Ok(Self::Offline);
        }
        if let Some(changer) = text.strip_prefix("online-") {
            return Ok(Self::Online(changer.parse()?));
        }
        if let Some(vault) = text.strip_prefix("vault-") {
            return Ok(Self::Vault(vault.parse()?));
        }
        let reason = "must be 'offline', 'online-CHANGER' or 'vault-NAME'";
        Err(ParseError::new("media location", text, reason))
    }
}

serde_as_text!(MediaLocation);

/// What may be done with a medium (`tape-state.md` §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaStatus {
    /// It can take more data.
    Writable,
    /// It takes no more until it is allocated anew.
    Full,
    /// Nothing is known, or its pool is gone.
    Unknown,
    /// A drive called it bad.
    Damaged,
    /// The operator took it out of use.
    Retired,
}

impl MediaStatus {
    const ALL: [Self; 5] =
        [Self::Writable, Self::Full, Self::Unknown, Self::Damaged, Self::Retired];

    /// The word that stands in inventories and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Writable => "writable",
            Self::Full => "full",
            Self::Unknown => "unknown",
            Self::Damaged => "damaged",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for MediaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MediaStatus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let reason = "must be 'writable', 'full', 'unknown', 'damaged' or 'retired'";
            ParseError::new("media status", text, reason)
        })
    }
}

serde_as_text!(MediaStatus);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_round_trip() {
        for text in ["offline", "online-sl3", "vault-office"] {
            assert_eq!(text.parse::<MediaLocation>().unwrap().to_string(), text);
        }
        for bad in ["", "online", "online-", "vault-a b", "shelf"] {
            assert!(bad.parse::<MediaLocation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn uuids_are_lower_case_and_hyphenated() {
        let text = "9da37a55-aac7-4deb-91c6-482b3b675f30";
        assert_eq!(text.parse::<MediaId>().unwrap().to_string(), text);
        for bad in [&text.to_uppercase(), &text.replace('-', ""), "", "9da37a55"] {
            assert!(bad.parse::<MediaId>().is_err(), "{bad}");
        }
        assert!(MediaSetId(Uuid::nil()).is_unassigned());
    }
}
