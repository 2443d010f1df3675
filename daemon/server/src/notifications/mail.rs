//! News as mails: by the system's `sendmail`, or by SMTP to a mail server.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use reel_config::{MailServer, NotificationSettings, SmtpMode};
use reel_types::AuthId;
use serde_json::Value;

use super::Undelivered;
use super::notice::{Host, Notice};
use super::program;
use super::template::{TemplateError, fill};
use crate::commands::first_line;

/// The system's program, where nothing else is said.
const SENDMAIL: &str = "/usr/sbin/sendmail";
/// How long a mail server or `sendmail` may take for each step.
const LIMIT: Duration = Duration::from_secs(60);
/// How a template begins.
const SUBJECT: &str = "Subject: ";

/// Subject and body of a notice, by a template.
pub(super) fn text_of(template: &str, notice: &Notice) -> Result<(String, String), TemplateError> {
    let text = fill(template, &Value::Object(notice.data.clone()))?;
    let (first, body) = text.split_once('\n').unwrap_or((&text, ""));
    // Without line breaks: it becomes a header.
    let subject = first.strip_prefix(SUBJECT).unwrap_or(first).trim().to_owned();
    Ok((subject, body.trim_start_matches('\n').to_owned()))
}

/// A mail that can be sent.
pub(super) struct Mail<'m> {
    pub(super) to: &'m str,
    pub(super) subject: &'m str,
    pub(super) body: &'m str,
    /// What tells it from all others; a mail that comes twice after all is one by that.
    pub(super) id: &'m str,
    pub(super) timestamp: i64,
}

impl Mail<'_> {
    fn message(&self, from: &str) -> Result<Message, Undelivered> {
        let mailbox = |address: &str| {
            address.parse::<Mailbox>().map_err(|error| {
                Undelivered::Final(format!("'{address}' is no mail address: {error}"))
            })
        };
        let seconds = Duration::from_secs(self.timestamp.unsigned_abs());
        let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        Message::builder()
            .from(mailbox(from)?)
            .to(mailbox(self.to)?)
            .subject(self.subject)
            .date(SystemTime::UNIX_EPOCH + seconds)
            .message_id(Some(format!("<{}@{domain}>", self.id)))
            .body(self.body.to_owned())
            .map_err(|error| Undelivered::Final(format!("unable to write the mail: {error}")))
    }

    /// Sends it as the settings say.
    pub(super) fn send(
        &self,
        settings: &NotificationSettings,
        host: &Host,
    ) -> Result<(), Undelivered> {
        let from = settings.from.clone().unwrap_or_else(|| format!("root@{}", host.fqdn));
        let message = self.message(&from)?;
        match &settings.server {
            Some(server) => by_smtp(server, &message),
            None => {
                let path = settings.sendmail.as_ref().map(|path| path.as_path());
                by_sendmail(path.unwrap_or(Path::new(SENDMAIL)), &message)
            }
        }
    }
}

fn by_sendmail(path: &Path, message: &Message) -> Result<(), Undelivered> {
    let arguments = ["-i", "-t"].map(OsStr::new);
    let sent = program::run(path, &arguments, &message.formatted(), LIMIT);
    let Err(error) = sent else { return Ok(()) };
    match error.exit_code() {
        // Also 75 (`EX_TEMPFAIL`): a mail that was queued ends with 0, unless somebody configured it otherwise.
        Some(_) => Err(Undelivered::Later(error.to_string())),
        None if error.is_before_start() => Err(Undelivered::Later(error.to_string())),
        // Whether it went out, nobody knows.
        None => Err(Undelivered::Final(format!("{error}; it may have been sent"))),
    }
}

fn by_smtp(server: &MailServer, message: &Message) -> Result<(), Undelivered> {
    let name = server.host.to_string();
    let later = |error: lettre::transport::smtp::Error| {
        Undelivered::Later(format!("mail server '{name}': {}", with_causes(&error)))
    };
    let transport = transport(server, &name)?;
    // A server that can't be spoken to has surely taken nothing.
    match transport.test_connection().map_err(later)? {
        true => {}
        false => return Err(Undelivered::Later(format!("mail server '{name}' does not answer"))),
    }
    transport.send(message).map(drop).map_err(|error| match error.is_transient() {
        true => later(error),
        false => Undelivered::Final(format!("mail server '{name}': {}", with_causes(&error))),
    })
}

fn transport(server: &MailServer, name: &str) -> Result<SmtpTransport, Undelivered> {
    let tls = || {
        TlsParameters::new(name.into())
            .map_err(|error| Undelivered::Later(format!("TLS for mail server '{name}': {error}")))
    };
    let (tls, port) = match server.mode {
        SmtpMode::Insecure => (Tls::None, 25),
        SmtpMode::StartTls => (Tls::Required(tls()?), 587),
        SmtpMode::Tls => (Tls::Wrapper(tls()?), 465),
    };
    let mut builder = SmtpTransport::builder_dangerous(name)
        .port(server.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(LIMIT));
    if let Some(user) = &server.username {
        builder = builder.credentials(Credentials::new(user.clone(), password(server)?));
    }
    Ok(builder.build())
}

fn password(server: &MailServer) -> Result<String, Undelivered> {
    let Some(file) = &server.password_file else {
        let text = "'smtp-username' without 'smtp-password-file' in reelfs.cfg".into();
        return Err(Undelivered::Later(text));
    };
    let line = first_line(file.as_path(), &AuthId::root());
    let line = line.map_err(|failure| Undelivered::Later(failure.message))?;
    let no_text = |_| Undelivered::Later(format!("the password in '{file}' is no text"));
    String::from_utf8(line.to_vec()).map_err(no_text)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    text
}
