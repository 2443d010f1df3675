//! The protocol of a Proxmox Backup Server, as its client and as a server (`remote-protocol.md`).
//!
//! - [`Client`]: one login at one server: the REST calls that browse it, and the way to a snapshot's files.
//! - [`SnapshotReader`]: the files and chunks of one snapshot, over a connection of its own (HTTP/2).
//! - [`pull`]: what a pull takes, and where it goes.
//! - [`serve`]: the other end of it all, for those who read.
//! - [`Limits`]: how many bytes a second all connections of a client may take together.
//!
//! Every answer is taken for what anybody may have sent: its size is bounded before it is read, and what it says is
//! parsed into the types of `reel-types` before it goes on.

mod browse;
mod call;
mod client;
mod connection;
mod error;
mod limit;
mod login;
pub mod pull;
mod reader;
pub mod serve;
mod tls;

pub use browse::{DatastoreItem, FileItem, GroupItem, NamespaceItem, SnapshotItem, Version};
pub use client::{Client, ClientOptions};
pub use connection::Endpoint;
pub use error::RemoteError;
pub use limit::{Limit, Limits};
pub use login::Login;
pub use reader::{Download, SnapshotReader};
