//! What may come next on a command line that isn't finished (`bashcomplete`).

use super::arguments::{OUTPUT_FORMAT, UsageError, find_command, option_text, words_after};
use super::info::{CommandInfo, Kind, Param, Position};
use super::program::Program;

/// The completions of `current`, the word being typed, behind the words `before` it (without the
/// program's name).
pub fn completions(program: &Program, before: &[String], current: &str) -> Vec<String> {
    let all: Vec<String> = match find_command(program, before) {
        Ok((info, given)) => of_parameters(info, given, current),
        Err(UsageError::NoCommand { at }) => owned(&words_after(program, &at)),
        Err(_) => Vec::new(),
    };
    all.into_iter().filter(|word| word.starts_with(current)).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn of_parameters(info: &CommandInfo, given: &[String], current: &str) -> Vec<String> {
    let format = info.answer.has_formats().then_some(&OUTPUT_FORMAT);
    if current.starts_with('-') {
        let options = info.params.iter().filter(|param| param.position == Position::Option);
        return options.chain(format).map(|param| format!("--{}", param.name)).collect();
    }
    let waiting = given.last().and_then(|word| option_text(word)).filter(|o| !o.contains('='));
    if let Some(name) = waiting {
        return values(info.param(name).or(format.filter(|format| format.is_called(name))));
    }
    let mut arguments = info.arguments();
    values(arguments.nth(arguments_in(info, given)))
}

/// How many of the words are arguments, not options nor their values.
fn arguments_in(info: &CommandInfo, given: &[String]) -> usize {
    let takes_value = |word: &str| {
        option_text(word).is_some_and(|name| {
            let stands_alone = info.param(name).is_some_and(Param::may_stand_alone);
            !name.contains('=') && !stands_alone
        })
    };
    let mut count = 0;
    let mut before = "";
    for word in given {
        if option_text(word).is_none() && !takes_value(before) {
            count += 1;
        }
        before = word;
    }
    count
}

fn values(param: Option<&Param>) -> Vec<String> {
    match param.map(|param| param.kind) {
        Some(Kind::Boolean) => owned(&["true", "false"]),
        Some(Kind::Words(words)) => owned(words),
        _ => Vec::new(),
    }
}
