//! Where a pull comes from: a datastore of a server, or another one of this computer.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reel_store::StoreError;
use reel_store::datastore::{CopiedFile, Datastore, SnapshotReader as LocalReader};
use reel_types::{
    BackupGroup, BackupTime, GroupPath, Namespace, NamespaceDepth, Snapshot, SnapshotPath,
    StoreName,
};

use super::PullError;
use super::network::Network;
use super::writers::{ChunkOrder, Content};
use crate::{Client, RemoteError, SnapshotReader};

/// Bytes of a file that are copied at once.
const PIECE: usize = 1 << 20;

/// Where a pull comes from.
#[derive(Clone)]
pub enum Source {
    /// A datastore of a server.
    Remote {
        /// The login there.
        client: Arc<Client>,
        /// The datastore.
        store: StoreName,
    },
    /// Another datastore of this computer.
    Local(Arc<Datastore>),
}

/// A snapshot of the source.
pub(super) struct SourceSnapshot {
    pub(super) time: BackupTime,
    /// Whether it can be read: not while it is written.
    pub(super) is_finished: bool,
}

impl Source {
    /// `anchor` and what is below it.
    pub(super) fn namespaces(
        &self,
        network: &Network,
        anchor: &Namespace,
        depth: Option<NamespaceDepth>,
    ) -> Result<Vec<Namespace>, PullError> {
        match self {
            Self::Remote { client, store } => {
                let listed = network.wait(client.namespaces(store, anchor, depth))?;
                Ok(listed.into_iter().map(|item| item.ns).collect())
            }
            Self::Local(store) => {
                Ok(store.namespaces(anchor, depth.map(NamespaceDepth::levels))?.items)
            }
        }
    }

    /// The groups of exactly this namespace.
    pub(super) fn groups(
        &self,
        network: &Network,
        ns: &Namespace,
    ) -> Result<Vec<BackupGroup>, PullError> {
        match self {
            Self::Remote { client, store } => {
                let listed = network.wait(client.groups(store, ns))?;
                Ok(listed.iter().map(|item| item.group()).collect())
            }
            Self::Local(store) => Ok(store.groups(ns)?.items),
        }
    }

    /// The snapshots of a group, oldest first.
    pub(super) fn snapshots(
        &self,
        network: &Network,
        ns: &Namespace,
        group: &BackupGroup,
    ) -> Result<Vec<SourceSnapshot>, PullError> {
        let mut snapshots = match self {
            Self::Remote { client, store } => {
                let listed = network.wait(client.snapshots(store, ns, group))?;
                let one = |item: &crate::SnapshotItem| {
                    let time = item.snapshot()?.time;
                    Ok(SourceSnapshot { time, is_finished: item.size.is_some() })
                };
                listed.iter().map(one).collect::<Result<Vec<_>, RemoteError>>()?
            }
            Self::Local(store) => {
                let path = GroupPath { namespace: ns.clone(), group: group.clone() };
                let listed = store.snapshots(&path)?.items.into_iter();
                listed
                    .map(|entry| SourceSnapshot { time: entry.time, is_finished: entry.finished })
                    .collect()
            }
        };
        snapshots.sort_by_key(|snapshot| snapshot.time);
        Ok(snapshots)
    }

    /// Opens a snapshot for reading, over at most `connections` connections.
    pub(super) fn open(
        &self,
        network: &Network,
        ns: &Namespace,
        snapshot: &Snapshot,
        connections: usize,
    ) -> Result<SourceFiles, PullError> {
        match self {
            Self::Remote { client, store } => {
                let way = Way {
                    client: Arc::clone(client),
                    store: store.clone(),
                    ns: ns.clone(),
                    snapshot: snapshot.clone(),
                };
                let reader = network.wait(way.open())?;
                Ok(SourceFiles::Remote(RemoteFiles::new(way, reader, connections)))
            }
            Self::Local(store) => {
                let path = SnapshotPath { namespace: ns.clone(), snapshot: snapshot.clone() };
                Ok(SourceFiles::Local(Box::new(store.open_snapshot(&path)?)))
            }
        }
    }
}

/// The files and chunks of one snapshot of the source.
pub(super) enum SourceFiles {
    Remote(RemoteFiles),
    Local(Box<LocalReader>),
}

impl SourceFiles {
    /// Copies a file as it is stored; it may not be longer than `max`. How long the source took to begin with it.
    pub(super) fn copy(
        &self,
        network: &Network,
        name: &reel_types::ArchiveName,
        into: &CopiedFile,
        max: u64,
    ) -> Result<Duration, PullError> {
        match self {
            Self::Remote(files) => files.download(network, name.as_str(), into, max),
            Self::Local(reader) => {
                let mut file = reader.open_stored(name)?.take(max);
                let copied = std::io::copy(&mut file, &mut into.file());
                copied.map_err(|error| write_failed(name.as_str(), error))?;
                Ok(Duration::ZERO)
            }
        }
    }

    /// Asks for a chunk; it comes to the writers.
    pub(super) fn ask(&self, network: &Network, order: ChunkOrder) {
        match self {
            Self::Remote(files) => files.ask(network, order),
            Self::Local(reader) => {
                let chunks = Arc::clone(reader.store().chunks());
                order.came(Ok(Content::Stored(chunks)));
            }
        }
    }

    /// Whether another connection to the server may be of use, and none is being opened.
    pub(super) fn can_widen(&self) -> bool {
        matches!(self, Self::Remote(files) if files.can_widen())
    }

    /// Opens another connection meanwhile, which serves the chunks of this index.
    pub(super) fn widen(&self, network: &Network, index: &str) {
        if let Self::Remote(files) = self {
            files.widen(network, index);
        }
    }

    /// The chunks of another index are asked for from now on.
    pub(super) fn begin_index(&self) {
        if let Self::Remote(files) = self {
            files.begin_index();
        }
    }
}

fn write_failed(name: &str, error: std::io::Error) -> PullError {
    StoreError::io(format!("copy '{name}'"), error).into()
}

/// How to get to a snapshot.
#[derive(Clone)]
struct Way {
    client: Arc<Client>,
    store: StoreName,
    ns: Namespace,
    snapshot: Snapshot,
}

impl Way {
    async fn open(&self) -> Result<SnapshotReader, RemoteError> {
        self.client.read_snapshot(&self.store, &self.ns, &self.snapshot).await
    }
}

/// A snapshot of a server. More connections than one are opened where much is fetched: a single stream of TCP seldom
/// fills a long line.
pub(super) struct RemoteFiles {
    way: Way,
    /// It has downloaded every index that was asked for.
    first: Arc<SnapshotReader>,
    others: Arc<Others>,
    connections: usize,
    next: AtomicUsize,
}

/// Connections besides the first.
#[derive(Default)]
struct Others {
    /// Those that have downloaded the index whose chunks are asked for.
    in_use: Mutex<Vec<Arc<SnapshotReader>>>,
    /// Those that have not.
    spare: Mutex<Vec<Arc<SnapshotReader>>>,
    is_opening: AtomicBool,
    /// Which index is asked for, by its turn: what comes late is of no use.
    turn: AtomicUsize,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RemoteFiles {
    fn new(way: Way, first: SnapshotReader, connections: usize) -> Self {
        let (others, next) = (Arc::default(), AtomicUsize::new(0));
        Self { way, first: Arc::new(first), others, connections, next }
    }

    fn download(
        &self,
        network: &Network,
        name: &str,
        into: &CopiedFile,
        max: u64,
    ) -> Result<Duration, PullError> {
        let asked = Instant::now();
        let mut download = network.wait(self.first.download(name))?;
        let round_trip = asked.elapsed();
        let mut buffered = std::io::BufWriter::with_capacity(PIECE, into.file());
        let mut length = 0;
        while let Some(piece) = network.wait(download.next())? {
            length += piece.len() as u64;
            if length > max {
                return Err(PullError::Refused(format!(
                    "the server sends more for '{name}' than the {max} bytes that it can have"
                )));
            }
            buffered.write_all(&piece).map_err(|error| write_failed(name, error))?;
        }
        buffered.flush().map_err(|error| write_failed(name, error))?;
        Ok(round_trip)
    }

    fn ask(&self, network: &Network, order: ChunkOrder) {
        let Some(handle) = network.handle() else { return };
        let reader = self.reader();
        handle.spawn(async move {
            let came = reader.chunk(&order.entry().digest).await;
            order.came(came.map(Content::Raw));
        });
    }

    /// One after the other.
    fn reader(&self) -> Arc<SnapshotReader> {
        let others = held(&self.others.in_use);
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (others.len() + 1);
        others.get(turn).unwrap_or(&self.first).clone()
    }

    fn can_widen(&self) -> bool {
        held(&self.others.in_use).len() + 1 < self.connections
            && !self.others.is_opening.load(Ordering::Relaxed)
    }

    fn widen(&self, network: &Network, index: &str) {
        let Some(handle) = network.handle() else { return };
        self.others.is_opening.store(true, Ordering::Relaxed);
        let (way, others, index) = (self.way.clone(), Arc::clone(&self.others), index.to_owned());
        let turn = others.turn.load(Ordering::Relaxed);
        let spare = held(&others.spare).pop();
        handle.spawn(async move {
            match another(&way, spare, &index).await {
                Ok(reader) if others.turn.load(Ordering::Relaxed) == turn => {
                    held(&others.in_use).push(reader);
                    others.is_opening.store(false, Ordering::Relaxed);
                }
                Ok(reader) => {
                    held(&others.spare).push(reader);
                    others.is_opening.store(false, Ordering::Relaxed);
                }
                // The first one does it all; no further one is opened.
                Err(error) => tracing::debug!("another connection: {error}"),
            }
        });
    }

    fn begin_index(&self) {
        self.others.turn.fetch_add(1, Ordering::Relaxed);
        let mut in_use = held(&self.others.in_use);
        held(&self.others.spare).append(&mut in_use);
    }
}

/// A further connection that the server gives the chunks of an index to.
async fn another(
    way: &Way,
    spare: Option<Arc<SnapshotReader>>,
    index: &str,
) -> Result<Arc<SnapshotReader>, RemoteError> {
    let reader = match spare {
        Some(reader) => reader,
        None => Arc::new(way.open().await?),
    };
    // The server gives the chunks of an index as soon as it has begun to send that: the rest of it is not wanted.
    drop(reader.download(index).await?);
    Ok(reader)
}
