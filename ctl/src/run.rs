//! From a command line to its end: find the command, have it done, show what came of it.

use std::io::Write as _;
use std::path::Path;

use reel_types::api::CommandAnswer;
use reel_types::commands::{
    Answer, CommandInfo, Inventory, Invocation, Kind, OutputFormat, parse_arguments,
};
use serde_json::{Map, Value, json};

use crate::called_as::without_drive_of_pool;
use crate::client::Client;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::follow::{OnInterrupt, Shown, follow};
use crate::{help, passphrase, password, show, tool};

/// Does what the words behind the program's name say.
pub async fn run(words: Vec<String>, mut environment: Environment) -> Result<(), Failure> {
    let words = take_options(words, &mut environment)?;
    if let Some(text) = help::special(environment.program, &words)? {
        return print(&text);
    }
    let invocation = prepare(&words, &environment)?;
    let format = output_format(invocation.format, environment.output_format.as_deref());
    Session { client: Client::new(&environment.socket), environment, format }.run(invocation).await
}

/// Reads a command line and checks all of it, before anything is done.
fn prepare(words: &[String], environment: &Environment) -> Result<Invocation, Failure> {
    let program = environment.program;
    let mut invocation = match without_drive_of_pool(program, words) {
        Some(words) => {
            complain("WARN: a pool has no drive; '--drive' is passed over");
            parse_arguments(program, &words)?
        }
        None => parse_arguments(program, words)?,
    };
    choose_drive(&mut invocation, environment)?;
    password::complete(&mut invocation)?;
    passphrase::complete(&mut invocation)?;
    complete_paths(&mut invocation, &environment.folder);
    invocation.command()?;
    Ok(invocation)
}

/// Takes the options of the program itself, which stand before the command.
fn take_options(words: Vec<String>, environment: &mut Environment) -> Result<Vec<String>, Failure> {
    let mut words = words.into_iter().peekable();
    while let Some(option) = words.next_if(|word| word.starts_with("--socket")) {
        let value = match option.strip_prefix("--socket=") {
            Some(value) => Some(value.to_owned()),
            None if option == "--socket" => words.next(),
            None => return Err(Failure::Options(format!("unknown option '{option}'"))),
        };
        let path = value.filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| Failure::Options("--socket needs a path".into()))?;
        environment.socket = path.into();
    }
    Ok(words.collect())
}

/// Makes the paths of the user's files absolute, since the daemon has another folder.
fn complete_paths(invocation: &mut Invocation, folder: &Path) {
    for (name, value) in &mut invocation.params {
        let kind = invocation.info.param(name).map(|param| param.kind);
        let Some(Kind::Path(form)) = kind else { continue };
        let values = match value {
            Value::Array(values) => values.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for value in values {
            let Value::String(text) = value else { continue };
            let Some(start) = form.path_start(text) else { continue };
            let (lead, path) = text.split_at(start);
            if !path.is_empty() && !path.starts_with('/') {
                *text = format!("{lead}{}", folder.join(path).display());
            }
        }
    }
}

/// Fills in the drive or device that the environment names, where none is given (`cli-tape.md` §2).
fn choose_drive(invocation: &mut Invocation, environment: &Environment) -> Result<(), Failure> {
    let info = invocation.info;
    let names_key = ["key", "key-file"].iter().any(|name| invocation.params.contains_key(*name));
    if names_key || configures_job(info) {
        return Ok(());
    }
    if info.param("device").is_some() && tool::names_device(invocation)? {
        return Ok(());
    }
    let device = match info.path {
        ["mt", ..] => environment.tape.as_deref(),
        ["mtx", ..] => environment.changer.as_deref(),
        _ => None,
    };
    // What is a setting of the kernel's driver is no drive's.
    let drive = environment.drive.as_deref().filter(|_| !tool::is_for_driver(invocation));
    let choices = [("drive", drive), ("device", device)];
    let takes = |name: &str| info.param(name).is_some();
    if let Some((name, Some(value))) =
        choices.into_iter().find(|(name, value)| takes(name) && value.is_some())
    {
        invocation.params.entry(name).or_insert_with(|| value.into());
    }
    Ok(())
}

/// Whether a drive would be a setting of a job, not what the command works on.
fn configures_job(info: &CommandInfo) -> bool {
    matches!(info.path, [job, "create" | "update"] if job.ends_with("-job"))
}

/// The format asked for; an error where the environment asks for one that there isn't.
fn output_format(
    option: Option<OutputFormat>,
    environment: Option<&str>,
) -> Result<OutputFormat, String> {
    match (option, environment) {
        (Some(format), _) => Ok(format),
        (None, None) => Ok(OutputFormat::Text),
        (None, Some(word)) => word
            .parse()
            .map_err(|_| format!("PROXMOX_OUTPUT_FORMAT: undefined output format '{word}'")),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Says something on standard error that isn't a failure.
pub fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// One command on its way.
struct Session {
    client: Client,
    environment: Environment,
    format: Result<OutputFormat, String>,
}

impl Session {
    async fn run(&self, invocation: Invocation) -> Result<(), Failure> {
        if let Some(done) = tool::done_here(&invocation)? {
            return self.show(invocation.info.answer, done);
        }
        match invocation.info.answer {
            Answer::Log => self.log(&invocation.params).await,
            Answer::Content => self.content(&invocation.params).await,
            Answer::Version => self.version().await,
            answer => self.command(invocation, answer).await,
        }
    }

    async fn command(&self, invocation: Invocation, answer: Answer) -> Result<(), Failure> {
        let info = invocation.info;
        let drive = invocation.params.get("drive").cloned();
        match self.client.command(info, invocation.params).await? {
            CommandAnswer::Data(data) => self.show(answer, data),
            CommandAnswer::Task(upid) if answer == Answer::Report => self.report(&upid).await,
            CommandAnswer::Task(upid) => {
                self.task(&upid).await?;
                if info.name() != Inventory::INFO.name() {
                    return Ok(());
                }
                self.list_after(answer, drive).await
            }
        }
    }

    /// `inventory` lists what its task found, as without the options that began the task.
    async fn list_after(&self, answer: Answer, drive: Option<Value>) -> Result<(), Failure> {
        let params = drive.map(|drive| ("drive".to_owned(), drive)).into_iter().collect();
        match self.client.command(&Inventory::INFO, params).await? {
            CommandAnswer::Data(data) => self.show(answer, data),
            CommandAnswer::Task(_) => Ok(()),
        }
    }

    /// Follows a task; JSON has its UPID instead.
    async fn task(&self, upid: &str) -> Result<(), Failure> {
        match &self.format {
            Ok(OutputFormat::Text) | Err(_) => {
                let progress = self.environment.progress;
                follow(&self.client, upid, OnInterrupt::StopTask, Shown::Log, progress).await
            }
            Ok(format) => print(&show::json(&upid.into(), *format)),
        }
    }

    /// Prints the log of a task, which is what was asked for.
    async fn report(&self, upid: &str) -> Result<(), Failure> {
        let progress = self.environment.progress;
        match follow(&self.client, upid, OnInterrupt::StopTask, Shown::Report, progress).await {
            Err(Failure::Task(reason)) => Err(Failure::Daemon(reason)),
            other => other,
        }
    }

    fn show(&self, answer: Answer, data: Value) -> Result<(), Failure> {
        let Environment { style, zone, .. } = &self.environment;
        match &self.format {
            Ok(format) if let Answer::Device(form) = answer => {
                print(&show::device::answer(form, &data, *format)?)
            }
            Ok(format) => print(&show::answer(answer, data, *format, *style, zone)),
            Err(message) => {
                if answer != Answer::Nothing {
                    complain(message);
                }
                Ok(())
            }
        }
    }

    async fn log(&self, params: &Map<String, Value>) -> Result<(), Failure> {
        let upid = params.get("upid").and_then(Value::as_str).unwrap_or_default();
        let progress = self.environment.progress;
        follow(&self.client, upid, OnInterrupt::Leave, Shown::Log, progress).await
    }

    async fn content(&self, params: &Map<String, Value>) -> Result<(), Failure> {
        let mut content = self.client.content(params).await?;
        while let Some(piece) = content.next().await? {
            print_bytes(&piece)?;
        }
        Ok(())
    }

    /// The versions of both sides; the client's even where there is no daemon.
    async fn version(&self) -> Result<(), Failure> {
        let client = env!("CARGO_PKG_VERSION");
        let server = self.client.version().await;
        let mut both = json!({ "client": { "version": client } });
        let mut text = format!("client version: {client}\n");
        if let Ok(server) = &server {
            both["server"] = json!({ "version": server.version });
            text += &format!("server version: {}\n", server.version);
        }
        match &self.format {
            Ok(OutputFormat::Text) => print(&text)?,
            Ok(format) => print(&show::json(&both, *format))?,
            Err(message) => complain(message),
        }
        server.map(drop)
    }
}

#[cfg(test)]
mod tests;
