//! Bodies that are made piece by piece while they are sent, so that nobody's slowness fills the memory.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much of a file is read at once: enough that a disk and a network are kept busy by few readers, little beside the
/// memory for many.
const FILE_PIECE: u64 = 256 << 10;

/// The body of an answer.
pub(super) type AnswerBody = Either<Full<Bytes>, PieceBody>;

/// All of a body at once.
pub(super) fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Either::Left(Full::new(bytes.into()))
}

/// What a body is made of. Making a piece may block.
pub(super) trait Pieces: Send + 'static {
    /// The next piece; none at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>>;
}

type Made = (Box<dyn Pieces>, io::Result<Option<Bytes>>);

/// A body whose next piece is made when the last one was sent.
pub(super) struct PieceBody {
    state: State,
    /// Bytes that are to come, where that is known.
    left: Option<u64>,
}

enum State {
    Waiting(Box<dyn Pieces>),
    Making(JoinHandle<Made>),
    Ended,
}

impl PieceBody {
    /// `length` bytes, if that is known.
    pub(super) fn new(pieces: impl Pieces, length: Option<u64>) -> Self {
        Self { state: State::Waiting(Box::new(pieces)), left: length }
    }

    fn sent(&mut self, piece: &Bytes) {
        self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
    }
}

impl Body for PieceBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Waiting(mut pieces) => {
                    let making = spawn_blocking(move || {
                        let piece = pieces.next();
                        (pieces, piece)
                    });
                    self.state = State::Making(making);
                }
                State::Making(mut making) => {
                    let Poll::Ready(made) = Pin::new(&mut making).poll(context) else {
                        self.state = State::Making(making);
                        return Poll::Pending;
                    };
                    let (pieces, piece) = made.map_err(io::Error::other)?;
                    let Some(piece) = piece? else { return Poll::Ready(None) };
                    self.sent(&piece);
                    self.state = State::Waiting(pieces);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0) || matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A file from where it is read, as many bytes as were promised, else to its end.
pub(super) struct FilePieces {
    pub(super) file: File,
    /// Bytes that were promised and are not read yet.
    pub(super) left: Option<u64>,
    /// Kept until the file was sent.
    pub(super) _held: Option<Arc<dyn Send + Sync>>,
}

impl Pieces for FilePieces {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let wanted = self.left.map_or(FILE_PIECE, |left| left.min(FILE_PIECE));
        let mut buffer = Vec::with_capacity(wanted as usize);
        let read = (&self.file).take(wanted).read_to_end(&mut buffer)? as u64;
        if read == 0 {
            return match self.left {
                None | Some(0) => Ok(None),
                Some(_) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            };
        }
        self.left = self.left.map(|left| left - read);
        Ok(Some(buffer.into()))
    }
}

/// Pieces with something before and behind them.
pub(super) struct Wrapped<P> {
    pub(super) before: Option<Bytes>,
    pub(super) pieces: P,
    pub(super) behind: Option<Bytes>,
}

impl<P: Pieces> Pieces for Wrapped<P> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(before) = self.before.take() {
            return Ok(Some(before));
        }
        match self.pieces.next()? {
            Some(piece) => Ok(Some(piece)),
            None => Ok(self.behind.take()),
        }
    }
}

impl Pieces for Box<dyn Pieces> {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        (**self).next()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use http_body_util::BodyExt;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        file
    }

    fn pieces(content: &[u8], length: Option<u64>) -> FilePieces {
        FilePieces { file: file(content), left: length, _held: None }
    }

    #[tokio::test]
    async fn a_file_comes_in_pieces() {
        let content: Vec<u8> = (0..FILE_PIECE + 5).map(|n| n as u8).collect();
        let mut body = PieceBody::new(pieces(&content, None), None);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len() as u64, FILE_PIECE);
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!([first, rest].concat(), content);
    }

    #[tokio::test]
    async fn a_promised_length_is_kept_or_the_body_breaks() {
        let all = |length| async move {
            let body = PieceBody::new(pieces(b"0123456789", Some(length)), Some(length));
            assert_eq!(body.size_hint().exact(), Some(length));
            body.collect().await.map(|all| all.to_bytes())
        };
        assert_eq!(all(10).await.unwrap(), &b"0123456789"[..]);
        assert_eq!(all(4).await.unwrap(), &b"0123"[..]);
        assert_eq!(all(11).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(all(0).await.unwrap(), &b""[..]);
    }

    #[tokio::test]
    async fn wrapped_pieces() {
        let (before, behind) = (Some(Bytes::from("[")), Some(Bytes::from("]")));
        let body = PieceBody::new(Wrapped { before, pieces: pieces(b"1", None), behind }, None);
        assert_eq!(body.collect().await.unwrap().to_bytes(), &b"[1]"[..]);
    }
}
