//! A line between a client and a server, as long and as narrow as a test wants it, that breaks on demand.
//!
//! Each direction of a connection has a queue between the thread that reads and the thread that writes. A piece may
//! leave the queue when the line could have carried it: after all before it at the line's bandwidth, and after its
//! delay. The queue holds what is under way on such a line and [`SLACK_BYTES`] more; a sender that is faster waits, as
//! it would for a window. Bytes are kept in order, and an end of the stream comes after the last of them.

mod queue;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use queue::Queue;

/// What a queue holds beyond what is under way: a few pieces.
const SLACK_BYTES: u64 = 1 << 20;
const PIECE_BYTES: usize = 64 << 10;

/// What a line is like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line {
    /// How long a byte is under way, each way.
    pub delay: Duration,
    /// Bytes a second that all connections together get each way; none is as many as the computer can.
    pub bandwidth: Option<u64>,
}

impl Line {
    /// A line without delay or bound.
    pub const SHORT: Self = Self { delay: Duration::ZERO, bandwidth: None };

    fn queue_bytes(&self) -> u64 {
        let rate = self.bandwidth.unwrap_or(u64::MAX / (1 << 32));
        let under_way = u128::from(rate) * self.delay.as_nanos() / 1_000_000_000;
        u64::try_from(under_way).unwrap_or(u64::MAX).saturating_add(SLACK_BYTES)
    }

    fn time_for(&self, bytes: usize) -> Duration {
        let nanoseconds = |rate: u64| bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
        let nanoseconds = self.bandwidth.map_or(0, nanoseconds);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Relays connections to a server until it is dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    line: Line,
    /// When the line is free again, each way.
    free_at: [Mutex<Instant>; 2],
    open: Mutex<Vec<Link>>,
    connections: AtomicU64,
    /// Bytes that went from the server to clients.
    down_bytes: AtomicU64,
    /// How many of those there may be before the line breaks.
    breaks_at: AtomicU64,
    refuses: AtomicBool,
    ends: AtomicBool,
}

/// A connection of a client: both ends, and what is under way either way.
struct Link {
    ends: [TcpStream; 2],
    queues: [Arc<Queue>; 2],
}

impl Link {
    /// Resets both ends: what is under way is lost. A close resets where nothing may linger, and the threads close
    /// their ends as soon as there is nothing more to read or take.
    fn break_off(&self) {
        self.queues.iter().for_each(|queue| queue.break_off());
        self.ends.iter().for_each(break_off);
    }
}

impl Relay {
    /// A line to the server at `target`.
    ///
    /// # Errors
    /// No port could be had.
    pub fn start(target: SocketAddr, line: Line) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            line,
            free_at: [Mutex::new(Instant::now()), Mutex::new(Instant::now())],
            open: Mutex::default(),
            connections: AtomicU64::new(0),
            down_bytes: AtomicU64::new(0),
            breaks_at: AtomicU64::new(u64::MAX),
            refuses: AtomicBool::new(false),
            ends: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Ok(Self { address, shared })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes went from the server to clients.
    pub fn down_bytes(&self) -> u64 {
        self.shared.down_bytes.load(Ordering::SeqCst)
    }

    /// Breaks all connections that are open.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Breaks all connections, once, as soon as so many more bytes have gone from the server to clients: no byte
    /// beyond arrives.
    pub fn reset_after(&self, bytes: u64) {
        self.shared.breaks_at.store(self.down_bytes().saturating_add(bytes), Ordering::SeqCst);
    }

    /// Whether new connections are broken at once.
    pub fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::SeqCst);
        self.shared.reset();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            if self.ends.load(Ordering::SeqCst) {
                return;
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            if self.refuses.load(Ordering::SeqCst) || self.join(&client).is_err() {
                break_off(&client);
            }
        }
    }

    /// Joins a client to the server.
    fn join(self: &Arc<Self>, client: &TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ends = [client.try_clone()?, server.try_clone()?];
        let queues = [
            self.carry(client.try_clone()?, server.try_clone()?, false),
            self.carry(server, client.try_clone()?, true),
        ];
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(Link { ends, queues });
        Ok(())
    }

    fn carry(self: &Arc<Self>, from: TcpStream, to: TcpStream, down: bool) -> Arc<Queue> {
        let queue = Arc::new(Queue::new(self.line.queue_bytes()));
        let (filling, filled) = (Arc::clone(self), Arc::clone(&queue));
        thread::spawn(move || filling.fill(from, &filled, down));
        let (shared, drained) = (Arc::clone(self), Arc::clone(&queue));
        thread::spawn(move || shared.drain(&drained, to, down));
        queue
    }

    /// Writes what has come far enough.
    fn drain(&self, queue: &Queue, mut to: TcpStream, down: bool) {
        while let Some((due, mut piece)) = queue.pop() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if piece.is_empty() {
                let _ = to.shutdown(Shutdown::Write);
                break;
            }
            let breaks = down && self.count(&mut piece);
            if to.write_all(&piece).is_err() {
                break;
            }
            if breaks {
                self.reset();
            }
        }
        queue.close();
    }

    /// Reads pieces and says when each has gone the whole way.
    fn fill(&self, mut from: TcpStream, queue: &Queue, down: bool) {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let length = from.read(&mut piece).unwrap_or(0);
            piece.truncate(length);
            let due = self.send(length, down) + self.line.delay;
            if !queue.push((due, piece)) || length == 0 {
                return;
            }
        }
    }

    /// When the line has taken up so many more bytes.
    fn send(&self, length: usize, down: bool) -> Instant {
        let free_at = &self.free_at[usize::from(down)];
        let mut free_at = free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(Instant::now()) + self.line.time_for(length);
        *free_at
    }

    /// Counts a piece for clients, cut to where the line breaks; whether it does behind it.
    fn count(&self, piece: &mut Vec<u8>) -> bool {
        let before = self.down_bytes.fetch_add(piece.len() as u64, Ordering::SeqCst);
        let breaks_at = self.breaks_at.load(Ordering::SeqCst);
        if before + (piece.len() as u64) < breaks_at {
            return false;
        }
        piece.truncate(usize::try_from(breaks_at.saturating_sub(before)).unwrap_or(usize::MAX));
        self.breaks_at.store(u64::MAX, Ordering::SeqCst);
        true
    }

    fn reset(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.iter().for_each(Link::break_off);
    }
}

/// Has whoever reads stop, and the close behind that reset the connection.
fn break_off(stream: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    // Either fails where the connection has ended already.
    let _ = setsockopt(stream, sockopt::Linger, &at_once);
    let _ = stream.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
        let mut writer = stream.try_clone().unwrap();
        let sent = bytes.to_vec();
        let writing = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        writing.join().unwrap();
        answer
    }

    #[test]
    fn bytes_come_whole_in_order_and_not_before_their_time() {
        let line = Line { delay: Duration::from_millis(50), bandwidth: Some(10_000_000) };
        let relay = Relay::start(echo(), line).unwrap();
        let bytes = crate::noise(1_000_000, 1);
        let began = Instant::now();
        let answer = ask(&mut TcpStream::connect(relay.address()).unwrap(), &bytes);
        let took = began.elapsed();
        assert!(answer == bytes);
        assert!(took >= Duration::from_millis(200), "0.1 s of bytes and 0.1 s of way: {took:?}");
        assert_eq!((relay.connections(), relay.down_bytes()), (1, 1_000_000));
    }

    #[test]
    fn a_line_holds_what_is_under_way_on_it() {
        let line = Line { delay: Duration::from_millis(150), bandwidth: Some(125_000_000) };
        assert_eq!(line.queue_bytes(), 18_750_000 + SLACK_BYTES);
        assert_eq!(Line::SHORT.queue_bytes(), SLACK_BYTES);
    }

    #[test]
    fn a_line_breaks_behind_the_byte_that_was_told() {
        let relay = Relay::start(echo(), Line::SHORT).unwrap();
        relay.reset_after(100_000);
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        stream.write_all(&[7; 200_000]).unwrap();
        let mut answer = Vec::new();
        let broken = stream.read_to_end(&mut answer).unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
        assert!(answer.len() <= 100_000, "{}", answer.len());
        let again = ask(&mut TcpStream::connect(relay.address()).unwrap(), b"once");
        assert_eq!(again, b"once");
    }

    #[test]
    fn a_line_that_is_cut_and_one_that_refuses() {
        let relay = Relay::start(echo(), Line::SHORT).unwrap();
        let mut stream = TcpStream::connect(relay.address()).unwrap();
        stream.write_all(b"x").unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        relay.reset();
        assert_eq!(stream.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
        relay.refuse(true);
        let mut refused = TcpStream::connect(relay.address()).unwrap();
        assert_eq!(refused.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
        relay.refuse(false);
        assert_eq!(ask(&mut TcpStream::connect(relay.address()).unwrap(), b"y"), b"y");
    }
}
