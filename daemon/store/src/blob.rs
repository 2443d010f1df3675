//! `DataBlob`: the envelope of every chunk, blob file and manifest (`formats.md` §1).
//!
//! ```text
//! unencrypted   magic (8) | CRC-32 (4) | data
//! encrypted     magic (8) | CRC-32 (4) | IV (16) | GCM tag (16) | ciphertext
//! ```
//!
//! The magic tells whether the data was compressed (zstd, level 1) and whether it was encrypted
//! after that. The CRC covers what follows the whole header. It finds damage without a key; it
//! proves nothing about origin.
//!
//! A [`DataBlob`] owns encoded bytes; [`DataBlob::decode`] gives plain ones. Everything that backup,
//! restore and verification move goes through here, so a plain blob decodes without a copy, and the
//! others with one allocation for each step.

use bytes::Bytes;
use reel_types::Digest;

use crate::crypto::{CryptConfig, IV_LEN, TAG_LEN, plain_digest, random};
use crate::error::{FormatError, FormatResult};
use crate::zstd_frames;

/// Largest plain content of a blob, in bytes.
pub const BLOB_PLAIN_MAX: usize = 128 << 20;
/// Largest plain content of a chunk, in bytes.
pub const CHUNK_PLAIN_MAX: usize = 16 << 20;
/// Largest encoded chunk, in bytes.
pub const CHUNK_ENCODED_MAX: usize = CHUNK_PLAIN_MAX + ENCRYPTED_HEADER_LEN;
/// Smallest encoded chunk, in bytes: a header and one byte.
pub const CHUNK_ENCODED_MIN: usize = PLAIN_HEADER_LEN + 1;

const MAGIC_LEN: usize = 8;
const PLAIN_HEADER_LEN: usize = 12;
const IV_END: usize = PLAIN_HEADER_LEN + IV_LEN;
const ENCRYPTED_HEADER_LEN: usize = IV_END + TAG_LEN;

/// What was done to the data, in PBS's four combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlobKind {
    compressed: bool,
    encrypted: bool,
}

impl BlobKind {
    const ALL: [Self; 4] = [
        Self { compressed: false, encrypted: false },
        Self { compressed: true, encrypted: false },
        Self { compressed: false, encrypted: true },
        Self { compressed: true, encrypted: true },
    ];

    fn magic(self) -> [u8; MAGIC_LEN] {
        match (self.compressed, self.encrypted) {
            (false, false) => [0x42, 0xab, 0x38, 0x07, 0xbe, 0x83, 0x70, 0xa1],
            (true, false) => [0x31, 0xb9, 0x58, 0x42, 0x6f, 0xb6, 0xa3, 0x7f],
            (false, true) => [0x7b, 0x67, 0x85, 0xbe, 0x22, 0x2d, 0x4c, 0xf0],
            (true, true) => [0xe6, 0x59, 0x1b, 0xbf, 0x0b, 0xbf, 0xd8, 0x0b],
        }
    }

    fn header_len(self) -> usize {
        if self.encrypted { ENCRYPTED_HEADER_LEN } else { PLAIN_HEADER_LEN }
    }

    fn of(raw: &[u8]) -> FormatResult<Self> {
        let short = |want: usize| {
            FormatError::corrupt(format!(
                "a blob of {} bytes lacks its {want}-byte header",
                raw.len()
            ))
        };
        if raw.len() < PLAIN_HEADER_LEN {
            return Err(short(PLAIN_HEADER_LEN));
        }
        let kind =
            Self::ALL.into_iter().find(|kind| raw.starts_with(&kind.magic())).ok_or_else(|| {
                FormatError::corrupt("the data does not start with the magic of a blob")
            })?;
        if raw.len() < kind.header_len() {
            return Err(short(kind.header_len()));
        }
        Ok(kind)
    }
}

/// An encoded blob; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataBlob {
    raw: Bytes,
    kind: BlobKind,
}

impl DataBlob {
    /// Takes encoded bytes after checking magic, length and CRC.
    pub fn from_raw(raw: Bytes) -> FormatResult<Self> {
        let blob = Self::from_raw_unverified(raw)?;
        blob.verify_crc()?;
        Ok(blob)
    }

    /// Takes encoded bytes whose CRC isn't to be trusted or not looked at yet: magic and length only.
    pub fn from_raw_unverified(raw: Bytes) -> FormatResult<Self> {
        let kind = BlobKind::of(&raw)?;
        check_length(kind, raw.len())?;
        Ok(Self { raw, kind })
    }

    /// Compares the CRC with the data.
    pub fn verify_crc(&self) -> FormatResult<()> {
        compare_crc(&self.raw, crc32fast::hash(self.payload()))
    }

    /// Encodes `data`, compressed where that makes it smaller, encrypted with a fresh random IV
    /// where there is a key.
    pub fn encode(data: &[u8], crypt: Option<&CryptConfig>, compress: bool) -> FormatResult<Self> {
        let iv = if crypt.is_some() { random()? } else { [0; IV_LEN] };
        Self::encode_with_iv(data, crypt, compress, &iv)
    }

    /// [`Self::encode`] with a given IV, which must never be used twice with one key.
    pub fn encode_with_iv(
        data: &[u8],
        crypt: Option<&CryptConfig>,
        compress: bool,
        iv: &[u8; IV_LEN],
    ) -> FormatResult<Self> {
        if data.len() > BLOB_PLAIN_MAX {
            return Err(FormatError::invalid(format!(
                "cannot encode {} bytes in a blob, which holds {BLOB_PLAIN_MAX} at most",
                data.len()
            )));
        }
        let encrypted = crypt.is_some();
        let header_len = BlobKind { compressed: false, encrypted }.header_len();
        let (mut raw, compressed) = room_and_data(data, header_len, compress)?;
        let kind = BlobKind { compressed, encrypted };
        let (header, payload) = raw.split_at_mut(header_len);
        if let Some(crypt) = crypt {
            let tag = crypt.seal(iv, payload)?;
            header[PLAIN_HEADER_LEN..IV_END].copy_from_slice(iv);
            header[IV_END..].copy_from_slice(&tag);
        }
        header[..MAGIC_LEN].copy_from_slice(&kind.magic());
        let crc = crc32fast::hash(payload);
        header[MAGIC_LEN..PLAIN_HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
        Ok(Self { raw: raw.into(), kind })
    }

    /// The plain content, of at most `limit` bytes.
    ///
    /// An unencrypted, uncompressed blob gives a slice of its own bytes. The tag of an encrypted one
    /// is verified before anything is done with its content. The CRC is not looked at here.
    pub fn decode(&self, crypt: Option<&CryptConfig>, limit: usize) -> FormatResult<Bytes> {
        let limit = limit.min(BLOB_PLAIN_MAX);
        if !self.kind.compressed && self.payload().len() > limit {
            return Err(FormatError::TooLarge { what: "the blob's content", limit: limit as u64 });
        }
        if !self.kind.encrypted {
            let payload = self.raw.slice(PLAIN_HEADER_LEN..);
            return self.inflate(payload, limit);
        }
        let crypt = crypt.ok_or(FormatError::MissingKey { fingerprint: None })?;
        let (iv, tag) = (array(&self.raw, PLAIN_HEADER_LEN)?, array(&self.raw, IV_END)?);
        let opened = crypt.open(&iv, &tag, self.payload())?;
        self.inflate(opened.into(), limit)
    }

    /// Decodes a chunk and checks that it is `size` bytes long and has this digest, keyed where it
    /// is encrypted. The CRC is not looked at.
    pub fn decode_chunk(
        &self,
        crypt: Option<&CryptConfig>,
        digest: &Digest,
        size: u64,
    ) -> FormatResult<Bytes> {
        let limit = usize::try_from(size).unwrap_or(usize::MAX).min(CHUNK_PLAIN_MAX);
        let plain = self.decode(crypt, limit).map_err(|error| match error {
            FormatError::TooLarge { .. } => FormatError::corrupt(format!(
                "chunk {digest} is longer than the {size} bytes expected"
            )),
            other => other,
        })?;
        if plain.len() as u64 != size {
            return Err(FormatError::corrupt(format!(
                "chunk {digest} is {} bytes long, {size} are expected",
                plain.len()
            )));
        }
        self.check_digest(crypt, &plain, digest)?;
        Ok(plain)
    }

    fn check_digest(
        &self,
        crypt: Option<&CryptConfig>,
        plain: &[u8],
        want: &Digest,
    ) -> FormatResult<()> {
        let computed = match crypt {
            Some(crypt) if self.kind.encrypted => crypt.chunk_digest(plain),
            _ => plain_digest(plain),
        };
        if computed == *want {
            return Ok(());
        }
        Err(FormatError::checksum(format!("chunk {want} holds data of digest {computed}")))
    }

    fn inflate(&self, data: Bytes, limit: usize) -> FormatResult<Bytes> {
        if !self.kind.compressed {
            return Ok(data);
        }
        zstd_frames::decompress(&data, limit).map(Bytes::from)
    }

    fn payload(&self) -> &[u8] {
        &self.raw[self.kind.header_len()..]
    }

    /// The encoded bytes.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Takes the encoded bytes out.
    pub fn into_raw(self) -> Bytes {
        self.raw
    }

    /// Whether a key is needed to decode it.
    pub fn is_encrypted(&self) -> bool {
        self.kind.encrypted
    }

    /// Whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.kind.compressed
    }
}

/// A buffer with room for the header and, behind it, the data: compressed where that is wanted and
/// helps (second result).
fn room_and_data(data: &[u8], header_len: usize, compress: bool) -> FormatResult<(Vec<u8>, bool)> {
    if compress {
        let mut raw = vec![0; header_len + zstd_frames::bound(data.len())];
        let length = zstd_frames::compress(data, &mut raw[header_len..])?;
        if length < data.len() {
            raw.truncate(header_len + length);
            raw.shrink_to_fit();
            return Ok((raw, true));
        }
    }
    let mut raw = Vec::with_capacity(header_len + data.len());
    raw.resize(header_len, 0);
    raw.extend_from_slice(data);
    Ok((raw, false))
}

/// Checks the bytes of one blob as they pass by: magic, length and CRC, and nothing is kept.
#[derive(Debug, Default)]
pub struct BlobCheck {
    /// The first bytes, as many as the longest header has.
    head: Vec<u8>,
    length: usize,
    crc: crc32fast::Hasher,
}

impl BlobCheck {
    /// A check of a blob of which nothing was seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes that follow.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        let wanted = ENCRYPTED_HEADER_LEN - self.head.len();
        if wanted > 0 {
            let (head, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
            if self.head.len() == ENCRYPTED_HEADER_LEN {
                self.take_head();
            }
        }
        self.crc.update(bytes);
    }

    /// What of the head is content already.
    fn take_head(&mut self) {
        if let Ok(kind) = BlobKind::of(&self.head) {
            self.crc.update(&self.head[kind.header_len()..]);
        }
    }

    /// All bytes were seen: whether they are a blob whose CRC is right.
    pub fn finish(mut self) -> FormatResult<()> {
        let kind = BlobKind::of(&self.head)?;
        if self.head.len() < ENCRYPTED_HEADER_LEN {
            self.take_head();
        }
        check_length(kind, self.length)?;
        compare_crc(&self.head, self.crc.finalize())
    }
}

fn check_length(kind: BlobKind, length: usize) -> FormatResult<()> {
    if length - kind.header_len() > BLOB_PLAIN_MAX {
        let limit = (BLOB_PLAIN_MAX + kind.header_len()) as u64;
        return Err(FormatError::TooLarge { what: "the blob", limit });
    }
    Ok(())
}

fn compare_crc(raw: &[u8], computed: u32) -> FormatResult<()> {
    let stored = array(raw, MAGIC_LEN).map(u32::from_le_bytes)?;
    if stored == computed {
        return Ok(());
    }
    Err(FormatError::checksum(format!(
        "CRC mismatch: the blob tells {stored:08x}, its data gives {computed:08x}"
    )))
}

fn array<const N: usize>(raw: &[u8], start: usize) -> FormatResult<[u8; N]> {
    raw.get(start..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .ok_or_else(|| FormatError::corrupt("the blob ends within its header"))
}

#[cfg(test)]
mod tests;
