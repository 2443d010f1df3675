//! How many bytes a second go over all connections of a client: a token bucket for each direction (`sync.md` §9).
//!
//! Bytes are counted on the TCP stream, below TLS. A read or write is done first and pays afterwards: the next one of
//! its connection waits until the bucket has drained to its size.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use reel_config::SyncLimits;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Shorter waits are left out; what they owe stays in the bucket.
const WAIT_MIN: Duration = Duration::from_millis(10);
const NANOSECONDS: u128 = 1_000_000_000;

/// A rate of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Bytes a second, at least one.
    pub rate: u64,
    /// Bytes that may go at once.
    pub burst: u64,
}

/// A bucket that has drained for some time.
#[derive(Debug)]
struct Bucket {
    limit: Limit,
    /// Bytes that were not paid for yet.
    consumed: u64,
    /// When it was looked at last, since some beginning.
    last: Duration,
}

impl Bucket {
    /// Full: nothing goes at once.
    fn new(limit: Limit, now: Duration) -> Self {
        Self { limit, consumed: limit.burst, last: now }
    }

    /// Counts bytes that went at `now`; how long the next ones have to wait.
    fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        if let Some(passed) = now.checked_sub(self.last) {
            let drained = passed.as_nanos() * u128::from(self.limit.rate) / NANOSECONDS;
            self.consumed =
                self.consumed.saturating_sub(u64::try_from(drained).unwrap_or(u64::MAX));
            self.last = now;
        }
        self.consumed = self.consumed.saturating_add(bytes);
        let owed = self.consumed.saturating_sub(self.limit.burst);
        let nanoseconds = u128::from(owed) * NANOSECONDS / u128::from(self.limit.rate.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// A bucket that several connections share.
#[derive(Debug, Clone)]
struct Shared(Arc<(Instant, Mutex<Bucket>)>);

impl Shared {
    fn new(limit: Limit) -> Self {
        Self(Arc::new((Instant::now(), Mutex::new(Bucket::new(limit, Duration::ZERO)))))
    }

    fn take(&self, bytes: usize) -> Duration {
        let (beginning, bucket) = &*self.0;
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(bytes as u64, beginning.elapsed())
    }
}

/// The limits of a client, shared by all its connections.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    incoming: Option<Shared>,
    outgoing: Option<Shared>,
}

impl Limits {
    /// Bytes received and bytes sent; none is without limit.
    pub fn new(incoming: Option<Limit>, outgoing: Option<Limit>) -> Self {
        Self { incoming: incoming.map(Shared::new), outgoing: outgoing.map(Shared::new) }
    }
}

impl From<&SyncLimits> for Limits {
    fn from(limits: &SyncLimits) -> Self {
        let limit = |rate: Option<reel_types::ByteSize>, burst: Option<reel_types::ByteSize>| {
            let rate = rate?.bytes().max(1);
            Some(Limit { rate, burst: burst.map_or(rate, |burst| burst.bytes()) })
        };
        Self::new(limit(limits.rate_in, limits.burst_in), limit(limits.rate_out, limits.burst_out))
    }
}

/// One direction of a connection: waits before it goes on.
#[derive(Debug)]
struct Gate {
    bucket: Option<Shared>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Gate {
    fn new(bucket: Option<Shared>) -> Self {
        Self { bucket, wait: None }
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        Poll::Ready(())
    }

    fn went(&mut self, bytes: usize) {
        let Some(bucket) = &self.bucket else { return };
        let delay = bucket.take(bytes);
        if delay >= WAIT_MIN {
            self.wait = Some(Box::pin(sleep(delay)));
        }
    }
}

/// A stream whose bytes count for the limits.
#[derive(Debug)]
pub(crate) struct Limited<S> {
    stream: S,
    reading: Gate,
    writing: Gate,
}

impl<S> Limited<S> {
    pub(crate) fn new(stream: S, limits: &Limits) -> Self {
        let (reading, writing) =
            (Gate::new(limits.incoming.clone()), Gate::new(limits.outgoing.clone()));
        Self { stream, reading, writing }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.reading.poll_open(context));
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.reading.went(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.writing.poll_open(context));
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.writing.went(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let mut bucket = Bucket::new(Limit { rate: 1000, burst: 1000 }, Duration::ZERO);
        let rows = [
            (0, 500, 1500, 500),
            (1, 1000, 1500, 500),
            (2, 1000, 1500, 500),
            (2, 3000, 4500, 3500),
            (10, 1000, 1000, 0),
            (10, 1, 1001, 1),
        ];
        for (at, bytes, consumed, delay_ms) in rows {
            let delay = bucket.take(bytes, seconds(at));
            assert_eq!((bucket.consumed, delay), (consumed, Duration::from_millis(delay_ms)));
        }
        let mut wide = Bucket::new(Limit { rate: 20_971_520, burst: 20_971_520 }, Duration::ZERO);
        assert_eq!(wide.take(16384, Duration::ZERO), Duration::from_nanos(781_250));
        assert_eq!(wide.take(20_971_520, Duration::ZERO), Duration::from_nanos(1_000_781_250));
    }

    #[test]
    fn a_burst_counts_only_with_a_rate() {
        let size = |text: &str| Some(text.parse().unwrap());
        let limits = SyncLimits {
            burst_in: size("1 MiB"),
            rate_out: size("1 KiB"),
            ..SyncLimits::default()
        };
        let limits = Limits::from(&limits);
        assert!(limits.incoming.is_none());
        let bucket = limits.outgoing.unwrap();
        assert_eq!(bucket.0.1.lock().unwrap().limit, Limit { rate: 1024, burst: 1024 });
    }

    #[tokio::test(start_paused = true)]
    async fn all_streams_of_a_client_share_one_rate() {
        let limits = Limits::new(Some(Limit { rate: 1000, burst: 100 }), None);
        let mut readers = tokio::task::JoinSet::new();
        let began = Instant::now();
        for _ in 0..2 {
            let (mut far, near) = tokio::io::duplex(100);
            let mut near = Limited::new(near, &limits);
            readers.spawn(async move {
                let send = tokio::spawn(async move { far.write_all(&[7; 2000]).await });
                let mut bytes = Vec::new();
                near.read_to_end(&mut bytes).await.unwrap();
                send.await.unwrap().unwrap();
                bytes.len()
            });
        }
        while let Some(bytes) = readers.join_next().await {
            assert_eq!(bytes.unwrap(), 2000);
        }
        // 4000 bytes at 1000 a second; the last pieces of either stream are paid for by nobody.
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(3700) && took <= Duration::from_millis(4100),
            "{took:?}"
        );
    }
}
