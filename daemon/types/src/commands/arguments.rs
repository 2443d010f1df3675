//! The first door: words of a command line (`cli-manager.md` §1).
//!
//! PBS's own rules, which no common parser has: command words may be shortened to any unique prefix,
//! options have one dash or two, a boolean takes the next word only where that is a boolean, an
//! argument may be given as an option too. All problems with parameters are told at once.

use serde_json::{Map, Value};
use thiserror::Error;

use super::info::{CommandInfo, Kind, Param, Position};
use super::params::{ParamErrors, ParamValue};
use super::program::Program;
use super::values::OutputFormat;
use super::{Command, CommandError};
use crate::parse_bool;

/// `--output-format`, which commands with an answer have beside their own parameters.
pub const OUTPUT_FORMAT: Param = Param {
    name: "output-format",
    aliases: &[],
    position: Position::Option,
    kind: OutputFormat::KIND,
    many: false,
    required: false,
    default: None,
    help: "Output format.",
};

/// A command as it was typed, its parameters not yet checked against their types.
#[derive(Debug)]
pub struct Invocation {
    /// Which command.
    pub info: &'static CommandInfo,
    /// Its parameters by their proper names; values of the JSON type of their [`Kind`].
    pub params: Map<String, Value>,
    /// What `--output-format` said.
    pub format: Option<OutputFormat>,
}

impl Invocation {
    /// Checks the parameters and makes the command.
    pub fn command(&self) -> Result<Command, UsageError> {
        Command::from_params(&self.info.name(), &self.params).map_err(|error| match error {
            CommandError::Params(errors) => UsageError::Params { info: self.info, errors },
            CommandError::Unknown(word) => UsageError::UnknownCommand { word, at: Vec::new() },
        })
    }
}

/// A command line that is no command.
#[derive(Debug, Error)]
pub enum UsageError {
    /// The words end before a command is complete.
    #[error("no command specified.")]
    NoCommand {
        /// The words so far, in full.
        at: Vec<&'static str>,
    },
    /// A word that isn't the beginning of any command here.
    #[error("no such command '{word}'")]
    UnknownCommand {
        /// The word.
        word: String,
        /// The words before it, in full.
        at: Vec<&'static str>,
    },
    /// A word that is the beginning of several commands.
    #[error("command '{word}' is not unique: {}", candidates.join(", "))]
    AmbiguousCommand {
        /// The word.
        word: String,
        /// The words before it, in full.
        at: Vec<&'static str>,
        /// What it may be the beginning of.
        candidates: Vec<&'static str>,
    },
    /// More words than the command has arguments.
    #[error("got additional arguments: {}", words.join(" "))]
    ExtraArguments {
        /// The command.
        info: &'static CommandInfo,
        /// The words too many.
        words: Vec<String>,
    },
    /// Parameters that are missing, unknown or wrong.
    #[error("{errors}")]
    Params {
        /// The command.
        info: &'static CommandInfo,
        /// What is wrong with which.
        errors: ParamErrors,
    },
}

/// Finds the command of a program that the words begin with; what is left of them are its parameters.
pub fn find_command<'w>(
    program: &Program,
    words: &'w [String],
) -> Result<(&'static CommandInfo, &'w [String]), UsageError> {
    let mut at: Vec<&'static str> = Vec::new();
    let mut rest = words;
    loop {
        if let Some(info) = complete(program, &at) {
            return Ok((info, rest));
        }
        let Some((word, behind)) = rest.split_first() else {
            return Err(UsageError::NoCommand { at });
        };
        let next = next_word(program, &at, word)?;
        at.push(next);
        rest = behind;
    }
}

/// The command whose words are exactly these.
fn complete(program: &Program, at: &[&str]) -> Option<&'static CommandInfo> {
    program.spellings().find(|(path, _)| *path == at).map(|(_, info)| info)
}

/// The words that may follow `at`, each once, sorted.
pub fn words_after(program: &Program, at: &[&str]) -> Vec<&'static str> {
    following(program.commands().map(|(path, _)| path), at)
}

fn following(
    paths: impl Iterator<Item = &'static [&'static str]>,
    at: &[&str],
) -> Vec<&'static str> {
    let inside = paths.filter(|path| path.starts_with(at));
    let mut words: Vec<_> = inside.filter_map(|path| path.get(at.len()).copied()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// What `word` stands for behind `at`: an exact name, else the only one that begins with it.
fn next_word(
    program: &Program,
    at: &[&'static str],
    word: &str,
) -> Result<&'static str, UsageError> {
    let all = following(program.spellings().map(|(path, _)| path), at);
    if let Some(exact) = all.into_iter().find(|name| *name == word) {
        return Ok(exact);
    }
    let mut candidates = words_after(program, at);
    candidates.retain(|name| !word.is_empty() && name.starts_with(word));
    match candidates[..] {
        [only] => Ok(only),
        [] => Err(UsageError::UnknownCommand { word: word.into(), at: at.to_vec() }),
        _ => Err(UsageError::AmbiguousCommand { word: word.into(), at: at.to_vec(), candidates }),
    }
}

/// Reads a whole command line of a program, without the program's name.
pub fn parse_arguments(program: &Program, words: &[String]) -> Result<Invocation, UsageError> {
    let (info, rest) = find_command(program, words)?;
    let mut given = Given::new(info, info.answer.has_formats());
    let arguments = given.take_options(rest);
    given.fill_arguments(arguments)?;
    given.finish()
}

/// The parameters of one command as they are gathered.
pub(super) struct Given {
    info: &'static CommandInfo,
    has_formats: bool,
    params: Map<String, Value>,
    errors: ParamErrors,
    format: Option<OutputFormat>,
}

impl Given {
    pub(super) fn new(info: &'static CommandInfo, has_formats: bool) -> Self {
        let (params, errors) = (Map::new(), ParamErrors::default());
        Self { info, has_formats, params, errors, format: None }
    }

    /// Takes the options out of `words` and returns the arguments.
    pub(super) fn take_options(&mut self, words: &[String]) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                arguments.extend(rest.cloned());
                break;
            }
            let Some(option) = option_text(word) else {
                arguments.push(word.clone());
                continue;
            };
            match option.split_once('=') {
                Some((name, value)) => self.set(name, value),
                None => {
                    let next = rest.as_slice().first();
                    if self.take_option(option, next.map(String::as_str)) {
                        rest.next();
                    }
                }
            }
        }
        arguments
    }

    fn param(&self, name: &str) -> Option<&'static Param> {
        let format = (self.has_formats && OUTPUT_FORMAT.is_called(name)).then_some(&OUTPUT_FORMAT);
        self.info.param(name).or(format)
    }

    /// Takes an option without `=`; says whether it took the next word as its value.
    fn take_option(&mut self, name: &str, next: Option<&str>) -> bool {
        let value = next.filter(|word| option_text(word).is_none() && *word != "--");
        let kind = self.param(name).map(|param| (param, param.kind));
        if let Some((param, Kind::Boolean)) = kind {
            if let Some(word) = value.filter(|word| parse_bool(word).is_ok()) {
                self.set(name, word);
                return true;
            }
            if param.may_stand_alone() {
                self.set(name, "true");
                return false;
            }
        }
        match value {
            Some(word) => {
                self.set(name, word);
                true
            }
            None => {
                let known = self.param(name).is_some();
                let reason = if known { "missing parameter value." } else { ParamErrors::UNKNOWN };
                self.errors.add(name, reason);
                false
            }
        }
    }

    /// Sets a parameter from its text.
    pub(super) fn set(&mut self, name: &str, text: &str) {
        let Some(param) = self.param(name) else {
            return self.errors.add(name, ParamErrors::UNKNOWN);
        };
        let value = match value_from_text(param, text) {
            Ok(value) => value,
            Err(reason) => return self.errors.add(param.name, reason),
        };
        if self.has_formats && param.name == OUTPUT_FORMAT.name {
            if self.format.is_some() {
                self.errors.add(param.name, ParamErrors::DUPLICATE);
            }
            self.format = OutputFormat::from_json(&value).ok();
            return;
        }
        match self.params.get_mut(param.name) {
            None if param.many => {
                self.params.insert(param.name.into(), Value::Array(vec![value]));
            }
            None => {
                self.params.insert(param.name.into(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(_) => self.errors.add(param.name, ParamErrors::DUPLICATE),
        }
    }

    /// Binds a parameter to a value that isn't given as text.
    pub(super) fn bind(&mut self, name: &str, value: Value) {
        self.params.insert(name.into(), value);
    }

    /// Fills the arguments from the words without options, in their order.
    pub(super) fn fill_arguments(&mut self, words: Vec<String>) -> Result<(), UsageError> {
        self.fill(self.info.arguments().collect(), words)
    }

    pub(super) fn fill(
        &mut self,
        arguments: Vec<&'static Param>,
        words: Vec<String>,
    ) -> Result<(), UsageError> {
        let by_name = arguments.iter().find(|param| self.params.contains_key(param.name)).copied();
        let mut words = words.into_iter();
        for param in arguments {
            if param.many {
                words.by_ref().for_each(|word| self.set(param.name, &word));
            } else if !self.params.contains_key(param.name)
                && let Some(word) = words.next()
            {
                self.set(param.name, &word);
            }
        }
        let words: Vec<_> = words.collect();
        match by_name {
            _ if words.is_empty() => Ok(()),
            Some(param) => {
                self.errors.add(param.name, ParamErrors::DUPLICATE);
                Ok(())
            }
            None => Err(UsageError::ExtraArguments { info: self.info, words }),
        }
    }

    /// The invocation, or all that is wrong: with the texts, and with what they make.
    pub(super) fn finish(self) -> Result<Invocation, UsageError> {
        let invocation = Invocation { info: self.info, params: self.params, format: self.format };
        if self.errors.is_empty() {
            return Ok(invocation);
        }
        let mut errors = self.errors;
        if let Err(UsageError::Params { errors: more, .. }) = invocation.command() {
            more.iter().for_each(|(name, reason)| errors.add(name, reason));
        }
        Err(UsageError::Params { info: invocation.info, errors })
    }
}

/// The text behind the dashes, if the word is an option; a single dash is none.
pub(super) fn option_text(word: &str) -> Option<&str> {
    let text = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    (!text.is_empty()).then_some(text)
}

/// The JSON value that a text means for a parameter.
fn value_from_text(param: &Param, text: &str) -> Result<Value, String> {
    match param.kind {
        Kind::Boolean => {
            let value = parse_bool(text).map_err(|error| error.reason().to_owned())?;
            Ok(Value::Bool(value))
        }
        Kind::Integer { .. } => {
            let number = text.parse::<i64>().map_err(|_| "must be a whole number".to_owned())?;
            Ok(number.into())
        }
        Kind::Words(words) if !words.contains(&text) => {
            Err(format!("value '{text}' is not one of {}", words.join(", ")))
        }
        _ => Ok(Value::String(text.into())),
    }
}
