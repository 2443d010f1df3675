//! SHA-256 values: chunk digests and key fingerprints.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text::serde_as_text;

/// Name of a chunk: SHA-256 of its plain data, keyed where it is encrypted (`formats.md` §2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: the path of each chunk is made of it.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseError::new("digest", text, "must be lower case"));
        }
        decode_hex(text)
            .map(Self)
            .ok_or_else(|| ParseError::new("digest", text, "must be 64 hexadecimal digits"))
    }
}

serde_as_text!(Digest);

/// Fingerprint of an encryption key (`formats.md` §2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The first eight bytes, which is how PBS names a key in messages.
    pub fn short(&self) -> String {
        colon_pairs(&self.0[..8])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&colon_pairs(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The fingerprint of a certificate, whose colons are not optional (`remote-protocol.md` §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFingerprint(pub Fingerprint);

impl fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CertificateFingerprint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_form = text.len() == 95 && text.bytes().skip(2).step_by(3).all(|byte| byte == b':');
        if !is_form {
            let reason = "must be 32 hexadecimal pairs joined by ':'";
            return Err(ParseError::new("certificate fingerprint", text, reason));
        }
        text.parse().map(Self)
    }
}

impl FromStr for Fingerprint {
    type Err = ParseError;

    /// Drops colons, then wants 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        decode_hex(&text.replace(':', "")).map(Self).ok_or_else(|| {
            ParseError::new("fingerprint", text, "must be 32 hexadecimal pairs joined by ':'")
        })
    }
}

serde_as_text!(Fingerprint);

fn colon_pairs(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    let digits: [u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:\
                               90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b";

    #[test]
    fn fingerprint_in_any_case_and_without_colons() {
        let fingerprint: Fingerprint = FINGERPRINT.parse().unwrap();
        assert_eq!(fingerprint.to_string(), FINGERPRINT);
        assert_eq!(fingerprint.short(), "0e:ab:d4:46:0b:6e:b9:ca");
        assert_eq!(FINGERPRINT.to_uppercase().replace(':', "").parse(), Ok(fingerprint));
    }

    #[test]
    fn a_certificates_fingerprint_has_colons() {
        let upper = FINGERPRINT.to_uppercase();
        assert_eq!(upper.parse::<CertificateFingerprint>().unwrap().to_string(), FINGERPRINT);
        for bad in
            ["", &FINGERPRINT.replace(':', ""), &FINGERPRINT[3..], &FINGERPRINT.replace(':', "-")]
        {
            assert!(bad.parse::<CertificateFingerprint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_64_lower_case_digits() {
        let text = "ab".repeat(32);
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        for bad in ["", "ab", &text.to_uppercase(), &format!("{text}0"), &text.replace('a', "g")] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
