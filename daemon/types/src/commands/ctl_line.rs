//! The second door: a line written to a `ctl` file (`tree.md`, conventions 3, 7 and 8).
//!
//! A line is a verb, then words and `key=value` in any order, with the shell's quotes. Which verbs
//! there are, what they are bound to and what must be said twice depends on where the file is: see
//! [`Place`](super::Place). A word with `=` is a parameter where the command has one of that name,
//! and an argument where the command takes such words; `id=TOKEN` goes with any command.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use thiserror::Error;

use super::arguments::{Given, UsageError, option_text};
use super::info::{CommandInfo, Kind, Param, Position};
use super::params::ParamErrors;
use super::usage::{argument_text, paragraph, type_text};
use super::{Command, is_secret};

/// A verb that a `ctl` file takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Verb {
    /// Its words.
    pub words: &'static [&'static str],
    /// The command that it means.
    pub info: &'static CommandInfo,
    /// Parameters that the place of the file decides.
    pub bound: Map<String, Value>,
    /// The name that must be repeated behind the verb, because something is lost for good.
    pub confirm: Option<String>,
}

impl Verb {
    /// The verb `words` for a command that isn't bound to anything yet.
    pub fn new(words: &'static [&'static str], info: &'static CommandInfo) -> Self {
        Self { words, info, bound: Map::new(), confirm: None }
    }

    /// Binds a parameter of the command.
    #[must_use]
    pub fn bind(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.bound.insert(name.into(), value.into());
        self
    }

    /// Asks for `name` to be repeated.
    #[must_use]
    pub fn confirm(mut self, name: impl Into<String>) -> Self {
        self.confirm = Some(name.into());
        self
    }

    /// The parameters that a line may give, those given by place first.
    fn free(&self, position: Position) -> impl Iterator<Item = &'static Param> {
        let of_position = self.info.params.iter().filter(move |param| param.position == position);
        of_position.filter(|param| !self.bound.contains_key(param.name))
    }
}

/// A command from a line.
#[derive(Debug, Clone, PartialEq)]
pub struct CtlCommand {
    /// The command.
    pub command: Command,
    /// The token of `id=TOKEN`: the same again does nothing twice.
    pub token: Option<String>,
}

/// A line that isn't done, and nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CtlError {
    /// Nothing but blanks.
    #[error("the line is empty; 'cat ctl' shows the verbs")]
    Empty,
    /// A quote without its twin, or a backslash at the end.
    #[error("a quote or backslash at the end of the line is not closed")]
    Unclosed,
    /// A verb that this file doesn't take.
    #[error("no verb '{word}' here; there are: {known}")]
    UnknownVerb {
        /// The first word.
        word: String,
        /// The verbs that there are.
        known: String,
    },
    /// Something would be lost for good and the name wasn't repeated.
    #[error("'{verb}' can't be undone: repeat the name to confirm, '{verb} {name}'")]
    NotConfirmed {
        /// The verb.
        verb: String,
        /// What has to be repeated.
        name: String,
    },
    /// More words than the verb takes.
    #[error("{verb}: got additional arguments: {words}")]
    ExtraWords {
        /// The verb.
        verb: String,
        /// The words too many.
        words: String,
    },
    /// Parameters that are missing, unknown or wrong.
    #[error("{verb}: {errors}")]
    Params {
        /// The verb.
        verb: String,
        /// What is wrong with which.
        errors: ParamErrors,
    },
}

impl CtlError {
    /// EPERM where a confirmation is missing, else EINVAL.
    pub fn errno(&self) -> i32 {
        const EPERM: i32 = 1;
        const EINVAL: i32 = 22;
        if matches!(self, Self::NotConfirmed { .. }) { EPERM } else { EINVAL }
    }
}

/// Reads a line with the verbs of the file that it was written to.
pub fn parse_ctl_line(verbs: &[Verb], line: &str) -> Result<CtlCommand, CtlError> {
    let mut words = split_words(line)?;
    let verb = find_verb(verbs, &words)?;
    let name = verb.words.join(" ");
    words.drain(..verb.words.len());
    let token = take_token(&mut words);
    take_confirmation(verb, &mut words)?;

    let mut given = Given::new(verb.info, false);
    verb.bound.iter().for_each(|(name, value)| given.bind(name, value.clone()));
    let words = take_parameters(verb, &mut given, words);
    let words = given.take_options(&words);
    let made = given
        .fill(verb.free(Position::Argument).collect(), words)
        .and_then(|()| given.finish())
        .and_then(|invocation| invocation.command());
    let command = made.map_err(|error| refusal(name, error))?;
    Ok(CtlCommand { command, token })
}

fn refusal(verb: String, error: UsageError) -> CtlError {
    match error {
        UsageError::Params { errors, .. } => CtlError::Params { verb, errors },
        UsageError::ExtraArguments { info, words } => {
            // They may be the rest of a secret that lacks its quotes.
            let may_be_secret = info.params.iter().any(|param| param.kind == Kind::Secret);
            let words = if may_be_secret { "(hidden)".into() } else { words.join(" ") };
            CtlError::ExtraWords { verb, words }
        }
        _ => CtlError::UnknownVerb { word: verb, known: String::new() },
    }
}

fn find_verb<'v>(verbs: &'v [Verb], words: &[Word]) -> Result<&'v Verb, CtlError> {
    let first = words.first().ok_or(CtlError::Empty)?;
    let begins = |verb: &&Verb| {
        let given = words.iter().map(|word| word.text.as_str());
        given.take(verb.words.len()).eq(verb.words.iter().copied())
    };
    verbs.iter().find(begins).ok_or_else(|| {
        let known: Vec<_> = verbs.iter().map(|verb| verb.words.join(" ")).collect();
        CtlError::UnknownVerb { word: first.text.clone(), known: known.join(", ") }
    })
}

fn take_token(words: &mut Vec<Word>) -> Option<String> {
    let at = words.iter().position(|word| word.key() == Some("id"))?;
    words.remove(at).value().map(ToOwned::to_owned)
}

/// Takes the repeated name, which must be the first word that isn't `key=value`.
fn take_confirmation(verb: &Verb, words: &mut Vec<Word>) -> Result<(), CtlError> {
    let Some(name) = &verb.confirm else { return Ok(()) };
    let at = words.iter().position(|word| word.equals.is_none());
    let at = at.filter(|at| words.get(*at).is_some_and(|word| word.text == *name));
    let refused = || CtlError::NotConfirmed { verb: verb.words.join(" "), name: name.clone() };
    words.remove(at.ok_or_else(refused)?);
    Ok(())
}

/// Takes all `key=value` and returns the rest. What the place decides can't be given again.
fn take_parameters(verb: &Verb, given: &mut Given, words: Vec<Word>) -> Vec<String> {
    let takes_equals = verb.free(Position::Argument).any(|param| param.kind.takes_equals());
    let mut rest = Vec::new();
    for word in words {
        let Some((key, value)) = word.key().zip(word.value()) else {
            rest.push(word.text);
            continue;
        };
        let param = verb.info.param(key);
        if param.is_none() && takes_equals || option_text(key).is_some() {
            rest.push(word.text);
        } else {
            given.set(key, value);
        }
    }
    rest
}

/// A line as it may be kept: it ends before the first secret, whose end nobody knows where quotes are missing. The name of
/// a secret counts wherever it stands, since the line may be none that any file takes.
pub fn without_secrets(line: &str) -> String {
    let (words, _) = words_of(line);
    let Some((word, name)) = words.iter().find_map(|word| Some((word, word.secret_name()?))) else {
        return line.to_owned();
    };
    let before = line.get(..word.start).unwrap_or_default();
    format!("{before}{name}(hidden)")
}

/// A word of a line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// Where in the line it begins.
    start: usize,
    /// Where its first `=` is that wasn't quoted.
    equals: Option<usize>,
}

impl Word {
    fn key(&self) -> Option<&str> {
        self.text.get(..self.equals?)
    }

    fn value(&self) -> Option<&str> {
        self.text.get(self.equals? + 1..)
    }

    /// The part before a secret, where the word gives one or announces it: `name=`, `--name=`, or `--name ` and `name `.
    fn secret_name(&self) -> Option<String> {
        let option = option_text(&self.text).unwrap_or(&self.text);
        let (name, separator) = match option.split_once('=') {
            Some((name, _)) => (name, '='),
            None => (option, ' '),
        };
        let dashes = self.text.strip_suffix(option).unwrap_or_default();
        is_secret(name).then(|| format!("{dashes}{name}{separator}"))
    }
}

/// Splits a line at blanks, as a shell does: nothing is special between single quotes; between double
/// quotes and outside of quotes a backslash takes the next character's meaning away.
fn split_words(line: &str) -> Result<Vec<Word>, CtlError> {
    let (words, is_closed) = words_of(line);
    if is_closed { Ok(words) } else { Err(CtlError::Unclosed) }
}

/// The words of a line, and whether all quotes and backslashes in it have their other half.
fn words_of(line: &str) -> (Vec<Word>, bool) {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut is_closed = true;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_with(|| Word { start: at, ..Word::default() });
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => match chars.next() {
                Some((_, escaped)) => current.text.push(escaped),
                None => is_closed = false,
            },
            _ => {
                if c == '=' && quote.is_none() && current.equals.is_none() {
                    current.equals = Some(current.text.len());
                }
                current.text.push(c);
            }
        }
    }
    words.extend(word);
    (words, is_closed && quote.is_none())
}

/// What `cat ctl` prints: each verb with what it takes, and a line of help.
pub fn ctl_grammar(verbs: &[Verb]) -> String {
    verbs.iter().map(grammar_of).collect()
}

fn grammar_of(verb: &Verb) -> String {
    let mut text = verb.words.join(" ");
    if let Some(name) = &verb.confirm {
        let _ = write!(text, " {name}");
    }
    for param in verb.free(Position::Argument) {
        let _ = write!(text, " {}", argument_text(param));
    }
    for param in verb.free(Position::Option) {
        let assignment = format!("{}={}", param.name, type_text(param));
        let _ = if param.required {
            write!(text, " {assignment}")
        } else {
            write!(text, " [{assignment}]")
        };
    }
    format!("{text}\n{}\n", paragraph(verb.info.help, 4))
}

#[cfg(test)]
mod tests;
