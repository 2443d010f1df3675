//! What must not show: passwords, passphrases and keys, as commands take them.

use std::fmt;

use serde_json::Value;
use zeroize::Zeroizing;

use super::ParamValue;
use crate::commands::info::Kind;
use crate::{Passphrase, Password};

/// It is sent as it is: the door of the API is where secrets come in.
impl ParamValue for Password {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        text.parse::<Self>().map_err(|error| error.reason().to_owned())
    }

    fn to_json(&self) -> Value {
        Value::String(self.reveal().into())
    }
}

/// A protected key as text: JSON, or a paper key. It does not show in messages, and is overwritten when the value goes.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(hidden)")
    }
}

impl ParamValue for KeyText {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        const BYTES_MAX: usize = 64 << 10;
        let text = value.as_str().ok_or("must be text")?;
        match text.len() {
            0..=BYTES_MAX => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err("is too long for a key".into()),
        }
    }

    fn to_json(&self) -> Value {
        Value::String(self.as_str().to_owned())
    }
}

/// It comes in the body of a call.
impl ParamValue for Passphrase {
    const KIND: Kind = Kind::Secret;

    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        text.parse::<Self>().map_err(|error| error.reason().to_owned())
    }

    fn to_json(&self) -> Value {
        Value::String(self.reveal().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_overwritten_when_it_goes() {
        use std::os::unix::fs::FileExt as _;

        let marker = "key-text-of-this-test ";
        let key = KeyText::from_json(&Value::String(marker.repeat(100))).unwrap();
        let (at, length) = (key.as_str().as_ptr() as u64, key.as_str().len());
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        // Made beforehand: a later one could come to lie where the key was.
        let mut bytes = vec![0; length];
        let mut holds_marker = || {
            // What the allocator has given back can't be read.
            let is_there = memory.read_exact_at(&mut bytes, at).is_ok();
            is_there && bytes.windows(marker.len()).any(|window| window == marker.as_bytes())
        };
        assert!(holds_marker());
        drop(key);
        assert!(!holds_marker());
    }
}
