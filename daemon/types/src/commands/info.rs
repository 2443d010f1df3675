//! What is known of a command before anybody gives one: its words, parameters, answer.
//!
//! Everything that reads or explains commands (argv, `ctl` lines, API bodies, help, completion) works
//! from these values alone, so that none of them can know a command that another doesn't.

use super::output::Answer;

/// How the text of a parameter becomes a JSON value, and how its type is named in usage texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `1 on yes true` or `0 off no false`, in any case.
    Boolean,
    /// A whole number between the bounds.
    Integer {
        /// Smallest value allowed.
        min: u64,
        /// Largest value allowed; none is unbounded.
        max: Option<u64>,
    },
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any other text; how usage texts call it.
    Text(&'static str),
    /// Text that nobody else may see: it is kept out of logs and lists of processes.
    Secret,
    /// Text that may hold `=` of its own, such as `source=target`.
    Assignment(&'static str),
    /// A path in the file system of the machine, absolute once the command is made.
    Path(PathForm),
}

/// Where in a parameter's text the path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathForm {
    /// The whole text is the path.
    Whole,
    /// `NAME=PATH`.
    Named,
    /// The path of a device, or `virtual:PATH` or `emulated:PATH`.
    Device,
}

impl Kind {
    /// Whether a word with `=` may be a value of this kind.
    pub fn takes_equals(self) -> bool {
        matches!(self, Self::Assignment(_) | Self::Path(PathForm::Named))
    }
}

impl PathForm {
    /// Where in `text` the path begins; none where the text isn't of this form.
    pub fn path_start(self, text: &str) -> Option<usize> {
        match self {
            Self::Whole => Some(0),
            Self::Named => text.find('=').map(|at| at + 1),
            Self::Device => {
                let schemes = ["virtual:", "emulated:"];
                let scheme = schemes.into_iter().find(|scheme| text.starts_with(scheme));
                Some(scheme.map_or(0, str::len))
            }
        }
    }
}

/// How a parameter is given on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// By its place: `<name>`.
    Argument,
    /// By its name: `--name`.
    Option,
}

/// One parameter of a command.
#[derive(Debug)]
pub struct Param {
    /// The name, as in options and JSON.
    pub name: &'static str,
    /// Other spellings of the name.
    pub aliases: &'static [&'static str],
    /// By place or by name.
    pub position: Position,
    /// The type of a value.
    pub kind: Kind,
    /// Whether there may be several.
    pub many: bool,
    /// Whether it must be given.
    pub required: bool,
    /// The value of an absent parameter, as text.
    pub default: Option<&'static str>,
    /// What it is for.
    pub help: &'static str,
}

impl Param {
    /// Whether `name` is the name or another spelling of it.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Whether a boolean option may stand without a value (`cli-manager.md` §1.2).
    pub fn may_stand_alone(&self) -> bool {
        self.kind == Kind::Boolean && self.default != Some("true")
    }
}

/// One command.
#[derive(Debug)]
pub struct CommandInfo {
    /// Its words.
    pub path: &'static [&'static str],
    /// Other words for the same, which must be spelled in full.
    pub aliases: &'static [&'static [&'static str]],
    /// What it does.
    pub help: &'static str,
    /// Its parameters, arguments first in their order.
    pub params: &'static [Param],
    /// What comes back, and how it is printed.
    pub answer: Answer,
}

impl CommandInfo {
    /// The words joined by blanks: `media list`.
    pub fn name(&self) -> String {
        self.path.join(" ")
    }

    /// Whether `words`, joined by blanks, is the name or another spelling of it.
    pub fn is_called(&self, words: &str) -> bool {
        self.spellings().any(|path| path.iter().copied().eq(words.split(' ')))
    }

    /// All ways to spell the words; the first is the proper one.
    pub fn spellings(&self) -> impl Iterator<Item = &'static [&'static str]> {
        std::iter::once(self.path).chain(self.aliases.iter().copied())
    }

    /// The parameter of that name or alias.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.is_called(name))
    }

    /// The parameters given by place.
    pub fn arguments(&self) -> impl Iterator<Item = &'static Param> {
        self.params.iter().filter(|param| param.position == Position::Argument)
    }
}

/// A command is known by its words.
impl PartialEq for CommandInfo {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}
