//! What a server asks those around it: who may do what, which datastores there are, who keeps tasks, how time passes.
//!
//! Everything here but [`Pause`] and [`Worker::stopped`] may block: it is called on threads that may.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reel_store::datastore::Datastore;
use reel_types::{AuthId, Clock, Privilege, StoreName};

/// Why the surroundings could not give what they were asked for; its text is the answer to the client.
pub type Refused = Box<dyn Error + Send + Sync>;

/// What a password is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// It is the user's.
    Welcome,
    /// It isn't, or there is no such user.
    Refused,
    /// The user's realm knows no passwords.
    NoPasswords,
}

/// Who may come in, and do what.
pub trait Gate: Send + Sync {
    /// Whether `password` is the one of `user`. Whether the user is active is asked apart.
    fn login(&self, user: &AuthId, password: &str) -> LoginOutcome;

    /// Whether `secret` is the one of the token `id`.
    fn token(&self, id: &AuthId, secret: &str) -> bool;

    /// Whether a user, or a token and its user, exist, are enabled and not expired.
    fn is_active(&self, id: &AuthId) -> bool;

    /// Whether `id` has `privilege` on the ACL path `path`; what a token has, its user must have too.
    fn allows(&self, id: &AuthId, path: &str, privilege: Privilege) -> bool;

    /// Whether `id` has one of `privileges` anywhere below the ACL path `path`.
    fn allows_below(&self, id: &AuthId, path: &str, privileges: &[Privilege]) -> bool;
}

/// What is configured about a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its name.
    pub name: StoreName,
    /// Its comment.
    pub comment: Option<String>,
    /// Its maintenance mode, as a property string.
    pub maintenance: Option<String>,
}

/// A datastore that counts as being read until this is dropped.
pub struct StoreInUse {
    /// The datastore.
    pub store: Arc<Datastore>,
    /// What makes it count.
    pub guard: Box<dyn Any + Send + Sync>,
}

/// The datastores that are served.
pub trait Stores: Send + Sync {
    /// All of them, in the order of their configuration.
    fn list(&self) -> Result<Vec<StoreInfo>, Refused>;

    /// Opens one for reading, unless its maintenance mode forbids that.
    fn open(&self, name: &StoreName) -> Result<StoreInUse, Refused>;
}

/// Keeps the tasks of connections.
pub trait Workers: Send + Sync {
    /// Starts a task of type `kind` about `id`, for `who`; it runs until it is told its end.
    fn start(&self, kind: &str, id: &str, who: &AuthId) -> Result<Arc<dyn Worker>, Refused>;
}

/// One such task. One that is dropped without an end has failed.
pub trait Worker: Send + Sync {
    /// Writes a line of its log.
    fn log(&self, line: &str);

    /// Comes when it is asked to stop.
    fn stopped(&self) -> BoxFuture<'static, ()>;

    /// Ends it; the reason, where it failed.
    fn end(&self, outcome: Result<(), String>);
}

/// Lets time pass before a refusal, so that nobody tries many passwords.
pub trait Pause: Send + Sync {
    /// Comes when `duration` has passed.
    fn pause(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Waits as long as it is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealPause;

impl Pause for RealPause {
    fn pause(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// All that a server asks.
#[derive(Clone)]
pub struct Surroundings {
    /// Who may do what.
    pub gate: Arc<dyn Gate>,
    /// The datastores.
    pub stores: Arc<dyn Stores>,
    /// The tasks.
    pub workers: Arc<dyn Workers>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How time passes.
    pub pause: Arc<dyn Pause>,
}
