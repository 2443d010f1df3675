//! Serving the reading side of PBS's API, to its clients and to servers that pull (`remote-protocol.md`).
//!
//! A connection begins with TLS and HTTP/1.1 ([`Server`]). Each request is routed, let in by the `Gate`, checked
//! parameter by parameter, and answered by a function on a thread that may block. One that asks for the reader protocol
//! turns its connection into HTTP/2 on one snapshot, which stays locked while it is open.
//!
//! Nothing here knows users, configuration or tasks: a server asks its [`Surroundings`], which a test brings itself.
//! What a client can make us keep is bounded: connections, the heads and bodies of requests, and the pieces of files on
//! their way, which are read when the last one was sent.

mod answer;
mod api;
mod asked;
mod body;
mod certificate;
mod credentials;
pub mod fuzz;
mod key_files;
mod params;
mod path;
mod reader;
mod redirect;
mod refusal;
mod rest;
mod routes;
mod server;
mod surroundings;
mod ticket;

pub use certificate::{HostNames, create_keys, describe_certificate};
pub use server::Server;
pub use surroundings::{
    Gate, LoginOutcome, Pause, RealPause, Refused, StoreInUse, StoreInfo, Stores, Surroundings,
    Worker, Workers,
};
