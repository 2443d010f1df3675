//! The macros that make a command's type and its [`CommandInfo`](super::CommandInfo) from one text.
//!
//! ```text
//! /// What the command does.                       help of the command
//! MediaList ["media" "list"] => Answer::…;         type, words, answer
//! {
//!     /// What the parameter is for.               help of the parameter
//!     opt pool: Option<PoolName>,                  --pool, may be absent
//!     opt update_status: bool = true,              --update-status, absent means true
//!     arg label_text also "changer-id": LabelText, <label-text>, with another spelling
//! }
//! ```
//! Names in options and JSON are those of the fields with `-` for `_`.
//!
//! What is kept in the configuration is made by one command and changed by another, which take the same settings:
//!
//! ```text
//! /// What creating does.
//! PoolCreate ["pool" "create"] => Answer::…;
//! /// What changing does.
//! PoolUpdate ["pool" "update"];
//! {
//!     /// What it is.
//!     arg name: PoolName,
//!     must path: DrivePath,                        needed to create one
//!     may comment: Comment,
//!     many group_filter: GroupFilter,
//! }
//! create only { opt reuse: bool = false }          parameters as those of any command
//! update only { opt delete: Vec<PoolProperty> }
//! ```

/// The bytes of an identifier with `-` for `_`.
pub(super) const fn hyphenated<const LENGTH: usize>(ident: &str) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        let byte = ident.as_bytes()[at];
        bytes[at] = if byte == b'_' { b'-' } else { byte };
        at += 1;
    }
    bytes
}

macro_rules! kebab {
    ($ident:ident) => {{
        const LENGTH: usize = stringify!($ident).len();
        const BYTES: [u8; LENGTH] = crate::commands::define::hyphenated(stringify!($ident));
        const TEXT: &str = match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => stringify!($ident),
        };
        TEXT
    }};
}

macro_rules! position {
    (arg) => {
        crate::commands::Position::Argument
    };
    (opt) => {
        crate::commands::Position::Option
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($some:expr) => {
        Some($some)
    };
}

macro_rules! has_default {
    () => {
        false
    };
    ($some:expr) => {
        true
    };
}

macro_rules! commands {
    ($(
        #[doc = $help:literal] $(#[doc = $help_more:literal])*
        $name:ident [$($word:literal)+] $(also [$($alias:literal)+])* => $answer:expr;
        { $(
            #[doc = $about:literal] $(#[doc = $about_more:literal])*
            $position:ident $field:ident $(also $other:literal)*: $type:ty $(= $default:literal)?
        ),* $(,)? }
    )+) => { $(
        #[doc = $help] $(#[doc = $help_more])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $(
            #[doc = $about] $(#[doc = $about_more])*
            pub $field: $type,
        )* }

        impl $name {
            /// What the doors and the help know of this command.
            pub const INFO: crate::commands::CommandInfo = crate::commands::CommandInfo {
                path: &[$($word),+],
                aliases: &[$(&[$($alias),+]),*],
                help: concat!($help $(, "\n", $help_more)*),
                params: &[$(crate::commands::Param {
                    name: kebab!($field),
                    aliases: &[$($other),*],
                    position: position!($position),
                    kind: <$type as crate::commands::ParamField>::KIND,
                    many: <$type as crate::commands::ParamField>::MANY,
                    required: <$type as crate::commands::ParamField>::REQUIRED
                        && !has_default!($($default)?),
                    default: optional!($(stringify!($default))?),
                    help: concat!($about $(, "\n", $about_more)*),
                }),*],
                answer: $answer,
            };

            /// Reads and checks the parameters; all that are wrong are told at once.
            pub fn from_params(
                params: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, crate::commands::ParamErrors> {
                #[allow(unused_mut, reason = "a command without parameters reads none")]
                let mut reader = crate::commands::params::ParamReader::new(&Self::INFO, params);
                $(let $field = reader.field::<$type>(
                    kebab!($field),
                    optional!($(serde_json::Value::from($default))?),
                );)*
                reader.finish(move || Some(Self { $($field: $field?),* }))
            }

            /// The parameters as [`from_params`](Self::from_params) takes them.
            pub fn params(&self) -> serde_json::Map<String, serde_json::Value> {
                let shown: &[(&str, Option<serde_json::Value>)] = &[$(
                    (kebab!($field), crate::commands::ParamField::show(&self.$field))
                ),*];
                shown
                    .iter()
                    .filter_map(|(name, value)| Some((name.to_string(), value.clone()?)))
                    .collect()
            }
        }
    )+ };
}

macro_rules! created {
    (must $type:ty) => {
        $type
    };
    (may $type:ty) => {
        Option<$type>
    };
    (many $type:ty) => {
        Vec<$type>
    };
}

macro_rules! changed {
    (many $type:ty) => {
        Vec<$type>
    };
    ($need:ident $type:ty) => {
        Option<$type>
    };
}

macro_rules! settings {
    (
        $(#[doc = $create_help:literal])+
        $create:ident [$($create_word:literal)+] => $answer:expr;
        $(#[doc = $update_help:literal])+
        $update:ident [$($update_word:literal)+];
        {
            $(#[doc = $name_about:literal])+
            arg $name:ident: $name_type:ty,
            $(
                $(#[doc = $about:literal])+
                $need:ident $field:ident $(also $other:literal)*: $type:ty
            ),* $(,)?
        }
        $(create only { $(
            $(#[doc = $create_about:literal])+
            $position:ident $create_only:ident: $create_type:ty $(= $default:literal)?
        ),* $(,)? })?
        update only { $(
            $(#[doc = $only_about:literal])+
            opt $only:ident: $only_type:ty
        ),* $(,)? }
    ) => {
        commands! {
            $(#[doc = $create_help])+
            $create [$($create_word)+] => $answer;
            {
                $(#[doc = $name_about])+
                arg $name: $name_type,
                $($(
                    $(#[doc = $create_about])+
                    $position $create_only: $create_type $(= $default)?,
                )*)?
                $(
                    $(#[doc = $about])+
                    opt $field $(also $other)*: created!($need $type)
                ),*
            }

            $(#[doc = $update_help])+
            $update [$($update_word)+] => Answer::Nothing;
            {
                $(#[doc = $name_about])+
                arg $name: $name_type,
                $(
                    $(#[doc = $about])+
                    opt $field $(also $other)*: changed!($need $type),
                )*
                $(
                    $(#[doc = $only_about])+
                    opt $only: $only_type
                ),*
            }
        }
    };
}

macro_rules! command_enum {
    ($($name:ident),+ $(,)?) => {
        /// Any command, with its checked parameters.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Command {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name)
            ),+
        }

        /// All commands.
        pub static COMMANDS: &[&CommandInfo] = &[$(&$name::INFO),+];

        impl Command {
            /// Makes the command called `name` (all its words in full, joined by blanks) from its
            /// parameters: the door of the API.
            pub fn from_params(
                name: &str,
                params: &serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, CommandError> {
                $(if $name::INFO.is_called(name) {
                    return Ok(Self::$name($name::from_params(params)?));
                })+
                Err(CommandError::Unknown(name.into()))
            }

            /// What is known of this command.
            pub fn info(&self) -> &'static CommandInfo {
                match self {
                    $(Self::$name(_) => &$name::INFO),+
                }
            }

            /// Its parameters as JSON.
            pub fn params(&self) -> serde_json::Map<String, serde_json::Value> {
                match self {
                    $(Self::$name(command) => command.params()),+
                }
            }
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })+
    };
}

pub(super) use {
    changed, command_enum, commands, created, has_default, kebab, optional, position, settings,
};
