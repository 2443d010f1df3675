//! Help: synopses, descriptions of parameters, and the grammar that `cat ctl` prints.

use std::fmt::Write as _;

use super::arguments::OUTPUT_FORMAT;
use super::info::{CommandInfo, Kind, Param, PathForm, Position};
use super::program::Program;

/// The synopsis: `reelctl media destroy [<label-text>] [OPTIONS]` (`cli-manager.md` §1.3).
fn synopsis(program: &Program, info: &CommandInfo) -> String {
    let mut line = called(program, info);
    let named: Vec<_> = info.params.iter().filter(|p| p.position == Position::Option).collect();
    for param in info.arguments() {
        let _ = write!(line, " {}", argument_text(param));
    }
    for param in named.iter().filter(|param| param.required) {
        let _ = write!(line, " --{} {}", param.name, type_text(param));
    }
    if info.answer.has_formats() || named.iter().any(|param| !param.required) {
        line.push_str(" [OPTIONS]");
    }
    line
}

/// Synopsis and a description of each parameter.
pub fn usage(program: &Program, info: &CommandInfo) -> String {
    let mut text = format!("Usage: {}\n", synopsis(program, info));
    let format = info.answer.has_formats().then_some(&OUTPUT_FORMAT);
    let is_argument = |param: &&Param| param.position == Position::Argument;
    let required = |param: &&Param| !is_argument(param) && param.required;
    let optional = |param: &&Param| !is_argument(param) && !param.required;
    let leading = info.params.iter().filter(is_argument);
    for param in leading.chain(info.params.iter().filter(required)) {
        text.push_str(&described(param));
    }
    let mut others: Vec<_> = info.params.iter().filter(optional).chain(format).collect();
    others.sort_by_key(|param| param.name);
    if !others.is_empty() {
        text.push_str("Optional parameters:\n\n");
    }
    others.into_iter().for_each(|param| text.push_str(&described(param)));
    text
}

/// The synopses of all commands whose words begin with `at`.
pub fn synopses(program: &Program, at: &[&str]) -> String {
    let mut text = String::from("Usage:\n\n");
    for info in commands_below(program, at) {
        let _ = writeln!(text, " {}", synopsis(program, info));
    }
    text
}

/// What the commands whose words begin with `at` do and take.
pub fn descriptions(program: &Program, at: &[&str]) -> String {
    let all = commands_below(program, at).into_iter().map(|info| {
        let usage = usage(program, info);
        let (head, rest) = usage.split_once('\n').unwrap_or((&usage, ""));
        format!("{head}\n\n{}\n\n{rest}", paragraph(info.help, 0))
    });
    all.collect::<Vec<_>>().join("\n")
}

/// The manual of all commands, in reStructuredText.
pub fn manual(program: &Program) -> String {
    let chapters = commands_below(program, &[]).into_iter().map(|info| {
        let name = format!("``{}``", called(program, info));
        let usage = usage(program, info);
        let rest = usage.split_once('\n').map_or("", |(_, rest)| rest);
        let line = "-".repeat(name.chars().count());
        let synopsis = synopsis(program, info);
        let block: String = rest.lines().fold(String::new(), |mut block, line| {
            let _ = writeln!(block, "{}", format!("    {line}").trim_end());
            block
        });
        format!("{name}\n{line}\n\n{}\n\n::\n\n    {synopsis}\n\n{block}", paragraph(info.help, 0))
    });
    chapters.collect::<Vec<_>>().join("\n")
}

fn commands_below(program: &Program, at: &[&str]) -> Vec<&'static CommandInfo> {
    let mut commands: Vec<_> =
        program.commands().filter(|(path, _)| path.starts_with(at)).collect();
    commands.sort_by_key(|(path, _)| *path);
    commands.into_iter().map(|(_, info)| info).collect()
}

/// How a program calls a command, its own name in front.
fn called(program: &Program, info: &CommandInfo) -> String {
    format!("{} {}", program.name, program.path_of(info).unwrap_or(info.path).join(" "))
}

/// An argument in a synopsis: `<one>`, `[<optional>]`, `{<several>}`.
pub(super) fn argument_text(param: &Param) -> String {
    match (param.many, param.required) {
        (false, true) => format!("<{}>", param.name),
        (false, false) => format!("[<{}>]", param.name),
        (true, true) => format!("{{<{}>}}", param.name),
        (true, false) => format!("[{{<{}>}}]", param.name),
    }
}

/// The type of a parameter in usage texts.
pub(super) fn type_text(param: &Param) -> String {
    if param.many && !matches!(param.kind, Kind::Words(_)) {
        return "<array>".into();
    }
    match param.kind {
        Kind::Boolean => "<boolean>".into(),
        Kind::Integer { min, max: Some(max) } => format!("<integer> ({min} - {max})"),
        Kind::Integer { min, max: None } => format!("<integer> ({min} - N)"),
        Kind::Words(words) => words.join("|"),
        Kind::Text(text) | Kind::Assignment(text) => text.into(),
        Kind::Secret => "<string>".into(),
        Kind::Path(PathForm::Whole | PathForm::Device) => "<path>".into(),
        Kind::Path(PathForm::Named) => "<name>=<path>".into(),
    }
}

fn described(param: &Param) -> String {
    let name = match param.position {
        Position::Argument => format!("<{}>", param.name),
        Position::Option => format!("--{}", param.name),
    };
    let mut head = format!(" {name:<10} {}", type_text(param));
    if let Some(default) = param.default {
        head = format!(" {name:<10} {:<11} (default={default})", type_text(param));
    }
    format!("{}\n{}\n\n", head.trim_end(), paragraph(param.help, 13))
}

/// A help text, trimmed line by line and indented.
pub(super) fn paragraph(help: &str, indent: usize) -> String {
    let lines = help.lines().map(|line| format!("{:indent$}{}", "", line.trim()));
    lines.collect::<Vec<_>>().join("\n")
}
