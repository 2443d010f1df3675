//! What a run holds.

/// A SHA-256 digest.
pub type DigestBytes = [u8; 32];

/// Bytes of a key on disk.
pub(crate) const KEY_BYTES: usize = 16;

/// The first 16 bytes of a digest; ordered as the digests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; KEY_BYTES]);

impl Key {
    /// The key of a digest.
    pub fn of(digest: &DigestBytes) -> Self {
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(&digest[..KEY_BYTES]);
        Self(bytes)
    }

    /// The key as a number; digests are evenly spread, so numbers are too.
    fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The topmost `bits` (at most 16) of the key.
    pub(crate) fn prefix(self, bits: u32) -> usize {
        let top = u32::from(u16::from_be_bytes([self.0[0], self.0[1]]));
        usize::try_from(top >> (16 - bits.min(16))).unwrap_or(0)
    }

    /// Where among `count` evenly spread keys that share the topmost `bits` this one should be.
    pub(crate) fn guess(self, bits: u32, count: usize) -> usize {
        let rest = u64::try_from((self.number() << bits) >> 64).unwrap_or(0);
        let place = (u128::from(rest) * count as u128) >> 64;
        usize::try_from(place).unwrap_or(0)
    }
}

/// A key with its value; ordered by key, then by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record<const N: usize> {
    /// What is looked up.
    pub key: Key,
    /// What is found, in the caller's own encoding.
    pub value: [u8; N],
}

impl<const N: usize> Record<N> {
    /// Bytes of a record on disk: key, then value.
    pub(crate) const BYTES: usize = KEY_BYTES + N;

    /// Decodes a record; `None` unless `bytes` has exactly its size.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, value) = bytes.split_at_checked(KEY_BYTES)?;
        Some(Self { key: Key(key.try_into().ok()?), value: value.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_like_digests() {
        let (mut low, mut high) = ([0; 32], [0; 32]);
        low[1] = 0xff;
        high[0] = 1;
        assert!(Key::of(&low) < Key::of(&high));
        assert_eq!(Key::of(&high).prefix(8), 1);
        assert_eq!(Key::of(&high).prefix(0), 0);
        assert_eq!(Key::of(&[0xff; 32]).prefix(16), 0xffff);
    }

    #[test]
    fn guesses_stay_below_the_count() {
        for count in [0, 1, 7, usize::MAX] {
            let guess = Key([0xff; 16]).guess(3, count);
            assert!(guess < count.max(1), "{guess} of {count}");
        }
        assert_eq!(Key([0x80; 16]).guess(0, 1000), 501);
    }
}
