//! `reelctl`: parses a command line, has the daemon do it, prints what came of it.
//!
//! The commands, their parameters and the look of their answers are defined in
//! `reel_types::commands`; this program adds the terminal: environment, tables, the following of
//! task logs, exit statuses (`cli-manager.md` §§1–2). It never touches the daemon's files. `mt` and `mtx` on a device
//! that is named by its path need no daemon: these it does itself. Called by the name of one of PBS's programs it takes that
//! one's command lines ([`reel_types::commands::Program`]).

mod called_as;
mod client;
mod environment;
mod failure;
mod follow;
mod help;
mod passphrase;
mod password;
mod run;
mod show;
mod table;
mod tool;

use std::io::Write as _;
use std::process::ExitCode;

use environment::Environment;
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let environment = Environment::of_process();
    let program = environment.program;
    match done(environment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_broken_pipe() {
                let _ = std::io::stderr().write_all(failure.report(program).as_bytes());
            }
            ExitCode::from(255)
        }
    }
}

async fn done(environment: Environment) -> Result<(), Failure> {
    let mut arguments = std::env::args_os();
    called_as::refuse_key_helper(arguments.next().as_deref())?;
    let words: Result<Vec<_>, _> = arguments.map(std::ffi::OsString::into_string).collect();
    let refuse = |word: std::ffi::OsString| {
        Failure::Options(format!("'{}' is not UTF-8", word.to_string_lossy()))
    };
    run::run(words.map_err(refuse)?, environment).await
}
