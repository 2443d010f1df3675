//! Values that are one of a few words.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::ParamValue;
use crate::ParseError;
use crate::commands::info::Kind;

/// Words for an enumeration that is given as a parameter.
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $about:literal])+ $word:ident = $text:literal),+ $(,)? })+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[doc = $about])+ $word),+ }

        impl $name {
            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                match text {
                    $($text => Ok(Self::$word),)+
                    _ => {
                        let reason = concat!("must be one of", $(" '", $text, "'"),+);
                        Err(ParseError::new("word", text, reason))
                    }
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ParamValue for $name {
            const KIND: Kind = Kind::Words(&[$($text),+]);

            fn from_json(value: &Value) -> Result<Self, String> {
                let text = value.as_str().ok_or("must be text")?;
                text.parse::<Self>().map_err(|error| error.reason().to_owned())
            }

            fn to_json(&self) -> Value {
                Value::String(self.as_str().into())
            }
        }
    )+ };
}

pub(super) use words;

words! {
    /// How a result is printed (`cli-manager.md` §2.1).
    OutputFormat {
        /// For people.
        Text = "text",
        /// One line of JSON.
        Json = "json",
        /// JSON, indented.
        JsonPretty = "json-pretty",
    }

    /// How a passphrase becomes a key (`config.md` §4.9).
    KeyKdf {
        /// Slow in memory too.
        Scrypt = "scrypt",
        /// For where scrypt is unwanted.
        Pbkdf2 = "pbkdf2",
    }

    /// How a paper key is made (`cli-tape.md` §9).
    PaperFormat {
        /// A page for a browser.
        Html = "html",
        /// Lines of text.
        Text = "text",
    }

    /// An option of the kernel's tape driver (`cli-tape.md` §11).
    DriverOption {
        /// Blocks of a fixed length are collected before they are written.
        BufferWrites = "buffer-writes",
        /// A write returns before the drive has the data.
        AsyncWrites = "async-writes",
        /// Blocks of a fixed length are read ahead.
        ReadAhead = "read-ahead",
        /// The driver tells in the kernel's log what it does.
        Debugging = "debugging",
        /// Closing writes two filemarks.
        TwoFm = "two-fm",
        /// Going to the end of data does not count files.
        FastMteom = "fast-mteom",
        /// The medium is locked in while the node is open.
        AutoLock = "auto-lock",
        /// Default block length and density are for writing only.
        DefWrites = "def-writes",
        /// The drive can space backward over blocks.
        CanBsr = "can-bsr",
        /// The drive is not asked for its block limits.
        NoBlklims = "no-blklims",
        /// The drive can have several partitions.
        CanPartitions = "can-partitions",
        /// Positions are logical ones of SCSI-2. Spelled as PBS spells it.
        Scsi2Logical = "scsi2locical",
        /// The rules of System V for the end of files.
        Sysv = "sysv",
        /// Motions return before they are done.
        Nowait = "nowait",
        /// Blocks of another length than was asked for are no error.
        Sili = "sili",
    }

    /// What stands at the end of the bar code of an LTO medium (`tape-state.md` §13).
    MediaIdentifier {
        /// LTO-1.
        L1 = "L1",
        /// LTO-2.
        L2 = "L2",
        /// LTO-3.
        L3 = "L3",
        /// LTO-4.
        L4 = "L4",
        /// LTO-5.
        L5 = "L5",
        /// LTO-6.
        L6 = "L6",
        /// LTO-7.
        L7 = "L7",
        /// LTO-8.
        L8 = "L8",
        /// LTO-9.
        L9 = "L9",
        /// LTO-7, formatted by an LTO-8 drive.
        M8 = "M8",
        /// WORM, LTO-3.
        Lt = "LT",
        /// WORM, LTO-4.
        Lu = "LU",
        /// WORM, LTO-5.
        Lv = "LV",
        /// WORM, LTO-6.
        Lw = "LW",
        /// WORM, LTO-7.
        Lx = "LX",
        /// WORM, LTO-8.
        Ly = "LY",
        /// WORM, LTO-9.
        Lz = "LZ",
        /// A cleaning cartridge.
        Cu = "CU",
    }

    /// A size of paper.
    PaperSize {
        /// 210 by 297 mm.
        A4 = "a4",
        /// 8.5 by 11 inches.
        Letter = "letter",
    }

    /// How news reach people (`tape-state.md` §15).
    NotificationMode {
        /// Mails to one user.
        LegacySendmail = "legacy-sendmail",
        /// Events, for programs.
        NotificationSystem = "notification-system",
    }
}

crate::text::serde_as_text!(NotificationMode);
