//! Bounded reading and writing of big-endian fields: whatever a device sends, nothing reads past its end.

/// What is wrong with parameter data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the structure has.
    #[error("{what}: {have} bytes where {want} are needed")]
    Short {
        /// The structure.
        what: &'static str,
        /// Bytes needed.
        want: usize,
        /// Bytes there.
        have: usize,
    },

    /// A field that the structure does not allow.
    #[error("{what}: {reason}")]
    Field {
        /// The structure.
        what: &'static str,
        /// In which way.
        reason: String,
    },
}

impl DecodeError {
    /// A field that the structure does not allow.
    pub fn field(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { what, reason: reason.into() }
    }
}

/// Result of decoding.
pub type Decoded<T> = Result<T, DecodeError>;

/// Reads fields one after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `bytes`, which hold a `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// Bytes that were not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything that was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Short { what: self.what, want: count, have: self.rest.len() });
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// The next bytes, as an array.
    pub fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let bytes = self.bytes(N)?;
        Ok(std::array::from_fn(|index| bytes[index]))
    }

    /// Passes `count` bytes.
    pub fn skip(&mut self, count: usize) -> Decoded<()> {
        self.bytes(count).map(drop)
    }

    /// One byte.
    pub fn u8(&mut self) -> Decoded<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Decoded<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Three bytes.
    pub fn u24(&mut self) -> Decoded<u32> {
        self.uint(3).map(|value| value as u32)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Decoded<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Six bytes.
    pub fn u48(&mut self) -> Decoded<u64> {
        self.uint(6)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Decoded<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number of `count` bytes, at most eight.
    pub fn uint(&mut self, count: usize) -> Decoded<u64> {
        if count > 8 {
            return Err(DecodeError::field(self.what, format!("a number of {count} bytes")));
        }
        Ok(self.bytes(count)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A text field of `count` bytes: to its first NUL, without the blanks around it.
    pub fn text(&mut self, count: usize) -> Decoded<String> {
        let bytes = self.bytes(count)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(text).trim().to_owned())
    }

    /// A field of ASCII text of `count` bytes: to its first NUL, without the blanks around it. What is not printable
    /// becomes `?`, so that the text fits into the field it came from.
    pub fn ascii(&mut self, count: usize) -> Decoded<String> {
        let bytes = self.bytes(count)?.iter().take_while(|byte| **byte != 0);
        let text: String = bytes.map(|byte| printable(*byte)).collect();
        Ok(text.trim_matches(' ').to_owned())
    }

    /// The next `count` bytes as a reader of their own.
    pub fn part(&mut self, count: usize) -> Decoded<Self> {
        Ok(Self { what: self.what, rest: self.bytes(count)? })
    }

    /// At most the next `count` bytes as a reader of their own: what a device announces may be more than it sent.
    pub fn part_at_most(&mut self, count: usize) -> Self {
        let (bytes, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        Self { what: self.what, rest: bytes }
    }
}

fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => char::from(byte),
        _ => '?',
    }
}

/// The byte whose bits (masks) are those of the flags that are set.
pub(crate) fn flags(bits: &[(bool, u8)]) -> u8 {
    bits.iter().filter(|(set, _)| *set).fold(0, |byte, (_, mask)| byte | mask)
}

/// Appends fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet, and room for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Bytes as they are.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// `count` zero bytes.
    pub fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// One byte.
    pub fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    /// Two bytes.
    pub fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Three bytes; higher bits are cut off.
    pub fn u24(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes()[1..])
    }

    /// Four bytes.
    pub fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Six bytes; higher bits are cut off.
    pub fn u48(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes()[2..])
    }

    /// Eight bytes.
    pub fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    /// A text field of `count` bytes: cut (between characters) or filled up with `fill`.
    pub fn text(self, text: &str, count: usize, fill: u8) -> Self {
        let cut = (0..=count.min(text.len())).rev().find(|cut| text.is_char_boundary(*cut));
        let end = self.0.len() + count;
        let mut written = self.bytes(&text.as_bytes()[..cut.unwrap_or(0)]);
        written.0.resize(end, fill);
        written
    }

    /// Bytes written so far.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// All of it.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_big_endian() {
        let bytes = Writer::new()
            .u8(1)
            .u16(0x0203)
            .u24(0x0004_0506)
            .u32(7)
            .u48(8)
            .u64(9)
            .text("ab", 4, b' ')
            .finish();
        let mut reader = Reader::new("a page", &bytes);
        assert_eq!(reader.u8().unwrap(), 1);
        assert_eq!(reader.u16().unwrap(), 0x0203);
        assert_eq!(reader.u24().unwrap(), 0x0004_0506);
        assert_eq!(reader.u32().unwrap(), 7);
        assert_eq!(reader.u48().unwrap(), 8);
        assert_eq!(reader.u64().unwrap(), 9);
        assert_eq!(reader.text(4).unwrap(), "ab");
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader::new("a page", &[1, 2, 3]);
        let short = reader.u32().unwrap_err();
        assert_eq!(short.to_string(), "a page: 3 bytes where 4 are needed");
        assert_eq!(reader.u24().unwrap(), 0x0001_0203, "a failed read moves nothing");
        assert!(reader.uint(9).is_err());
    }

    #[test]
    fn ascii_fields_keep_their_length() {
        let mut reader = Reader::new("a page", b" a\xFFb \0c");
        assert_eq!(reader.ascii(7).unwrap(), "a?b");
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn flags_are_added_up() {
        assert_eq!(flags(&[(true, 0x80), (false, 0x40), (true, 0x01)]), 0x81);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let bytes = Writer::new().text("aä", 2, 0).finish();
        assert_eq!(bytes, [b'a', 0]);
    }
}
