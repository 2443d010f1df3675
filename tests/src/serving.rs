//! A daemon that serves its datastores to others, and remotes of it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use crate::{Daemon, Home};

/// A daemon that others pull from.
pub struct Serving<'h> {
    /// The daemon.
    pub daemon: Daemon<'h>,
    /// Where it listens.
    pub address: SocketAddr,
    fingerprint: String,
    secret: String,
}

/// The token that may read everything there.
pub const TOKEN: &str = "root@pam!sync";

impl<'h> Serving<'h> {
    /// Starts one in `home`, with a token for those who pull.
    pub fn start(home: &'h Home) -> Self {
        let address = free_address();
        let daemon = home.start_with(&["--listen", &address.to_string()]);
        let secret = new_token(&daemon, "root@pam", "sync");
        daemon.ctl(&format!("acl update / Admin --auth-id {TOKEN}"));
        let info = daemon.ctl("cert info");
        let fingerprint = info.lines().find_map(|line| line.strip_prefix("Fingerprint (sha256): "));
        let fingerprint = fingerprint.expect("a fingerprint").to_owned();
        Self { daemon, address, fingerprint, secret }
    }

    /// Stops the daemon and starts it again at the same address.
    pub fn restart(self, home: &'h Home) -> Self {
        self.daemon.stop();
        let daemon = home.start_with(&["--listen", &self.address.to_string()]);
        Self { daemon, ..self }
    }
}

/// Makes an API token of a user; its secret.
pub fn new_token(daemon: &Daemon<'_>, user: &str, name: &str) -> String {
    let said = daemon.ctl(&format!("user generate-token {user} {name}"));
    let result = said.strip_prefix("Result: ").expect("a result");
    let token: serde_json::Value = serde_json::from_str(result).expect("JSON");
    token["value"].as_str().expect("a secret").to_owned()
}

/// Enters `serving` as the remote `name` of `daemon`, reached at `address`.
pub fn remote_of(serving: &Serving<'_>, daemon: &Daemon<'_>, name: &str, address: SocketAddr) {
    let mut command = daemon.reelctl();
    command.args(["remote", "create", name, "--auth-id", TOKEN, "--password-file", "-"]);
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--fingerprint", &serving.fingerprint]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("reelctl starts");
    let mut input = child.stdin.take().expect("its input");
    writeln!(input, "{}", serving.secret).expect("tell the secret");
    drop(input);
    assert!(child.wait().expect("reelctl ends").success(), "remote create {name}");
}

/// An address of this computer at which nobody listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number")
}
