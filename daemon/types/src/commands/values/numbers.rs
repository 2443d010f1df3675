//! Whole numbers with bounds.

use serde_json::Value;

use super::ParamValue;
use crate::NamespaceDepth;
use crate::commands::info::Kind;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// The number, if it is within the bounds.
    pub fn new(number: u64) -> Option<Self> {
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> ParamValue for Bounded<MIN, MAX> {
    const KIND: Kind =
        Kind::Integer { min: MIN, max: if MAX == u64::MAX { None } else { Some(MAX) } };

    fn from_json(value: &Value) -> Result<Self, String> {
        if let Some(number) = value.as_u64().and_then(Self::new) {
            return Ok(number);
        }
        Err(match (value.is_number(), MAX) {
            (false, _) => "must be a whole number".into(),
            (true, u64::MAX) => format!("value must have a minimum value of {MIN}"),
            (true, _) => format!("value must be from {MIN} to {MAX}"),
        })
    }

    fn to_json(&self) -> Value {
        self.0.into()
    }
}

impl ParamValue for NamespaceDepth {
    const KIND: Kind = <Bounded<0, 7>>::KIND;

    fn from_json(value: &Value) -> Result<Self, String> {
        let levels = <Bounded<0, 7>>::from_json(value)?.get();
        u8::try_from(levels)
            .ok()
            .and_then(|levels| Self::try_from(levels).ok())
            .ok_or_else(|| "value must be from 0 to 7".into())
    }

    fn to_json(&self) -> Value {
        self.levels().into()
    }
}

/// Number of a storage or import-export slot, from 1.
pub type SlotParam = Bounded<1, { u64::MAX }>;
/// Seconds since 1970; 0 is never.
pub type Expiry = Bounded<0, { i64::MAX as u64 }>;
/// A TCP port.
pub type Port = Bounded<0, 65535>;
/// How many of something, at least one.
pub type Count = Bounded<1, { u64::MAX }>;
/// How many groups of a sync are pulled at once.
pub type WorkerThreads = Bounded<1, 32>;
/// How many tasks to list.
pub type TaskLimit = Bounded<1, 1000>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(TaskLimit::from_json(&1000.into()).map(Bounded::get), Ok(1000));
        for bad in [Value::from(0), 1001.into(), (-1).into(), "5".into(), 1.5.into()] {
            assert!(TaskLimit::from_json(&bad).is_err(), "{bad}");
        }
        assert!(NamespaceDepth::from_json(&8.into()).is_err());
    }
}
