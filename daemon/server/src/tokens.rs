//! Commands that carried a token (`id=TOKEN`): whoever asks again with the same one gets the same task.
//!
//! They live as long as the daemon: its tasks end with it, and what was cut off is rightly asked for once more.

use std::collections::VecDeque;

use reel_types::Upid;
use reel_types::commands::Command;

use crate::failure::{Failure, Outcome};

/// How many commands are remembered. A repetition follows its command within minutes, and each takes below a KiB.
const REMEMBERED_MAX: usize = 1024;

/// The newest commands with a token, each with the task that it became.
#[derive(Default)]
pub(crate) struct Tokens(VecDeque<Started>);

struct Started {
    token: String,
    command: Command,
    upid: Upid,
}

impl Tokens {
    /// The task that `command` became before; another command with its token is an error.
    pub(crate) fn task_of(&self, token: &str, command: &Command) -> Outcome<Option<Upid>> {
        let Some(started) = self.0.iter().find(|started| started.token == token) else {
            return Ok(None);
        };
        if started.command == *command {
            return Ok(Some(started.upid.clone()));
        }
        let text = format!(
            "the token '{token}' was given with another command, which is task {}; use a new one",
            started.upid
        );
        Err(Failure::invalid(text))
    }

    /// Remembers which task a command became.
    pub(crate) fn remember(&mut self, token: &str, command: &Command, upid: &Upid) {
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        let (token, command, upid) = (token.into(), command.clone(), upid.clone());
        self.0.push_back(Started { token, command, upid });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_types::commands::{Reload, Rewind};

    fn upid(number: usize) -> Upid {
        let text =
            format!("UPID:n:00000001:00000002:{number:08X}:5CA78B83:rewind-media::root@pam:");
        text.parse().unwrap()
    }

    #[test]
    fn a_token_belongs_to_one_command_and_old_ones_are_forgotten() {
        let mut tokens = Tokens::default();
        let (rewind, reload) = (Command::from(Rewind { drive: None }), Command::from(Reload {}));
        for number in 0..=REMEMBERED_MAX {
            tokens.remember(&number.to_string(), &rewind, &upid(number));
        }
        assert_eq!(tokens.task_of("0", &rewind).unwrap(), None);
        assert_eq!(tokens.task_of("1", &rewind).unwrap(), Some(upid(1)));
        let refused = tokens.task_of("1", &reload).unwrap_err();
        assert_eq!(refused.errno, nix::libc::EINVAL);
        assert!(refused.message.contains(&upid(1).to_string()), "{refused}");
    }
}
