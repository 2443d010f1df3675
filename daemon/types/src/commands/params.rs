//! From a JSON object of parameters to typed fields and back.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::info::{CommandInfo, Kind};

/// What is wrong with the parameters of a command: a reason for each offending name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamErrors(BTreeMap<String, String>);

impl ParamErrors {
    /// The reason given for a required parameter that is absent.
    pub const MISSING: &'static str = "parameter is missing and it is not optional.";
    /// The reason given for a parameter that the command doesn't have.
    pub const UNKNOWN: &'static str = "schema does not allow additional properties.";
    /// The reason given for a single parameter that is given again.
    pub const DUPLICATE: &'static str = "duplicate parameter";

    /// One parameter, one reason.
    pub fn one(name: &str, reason: impl Into<String>) -> Self {
        Self(BTreeMap::from([(name.into(), reason.into())]))
    }

    /// Notes a reason; the first for a name stays.
    pub fn add(&mut self, name: &str, reason: impl Into<String>) {
        self.0.entry(name.into()).or_insert_with(|| reason.into());
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and reason of each, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, reason)| (name.as_str(), reason.as_str()))
    }

    /// The reasons by name, as API errors carry them.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

impl fmt::Display for ParamErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameter verification failed")?;
        if let (1, Some((name, reason))) = (self.0.len(), self.iter().next()) {
            return write!(f, " - '{name}': {reason}");
        }
        f.write_str(":")?;
        self.iter().try_for_each(|(name, reason)| write!(f, "\n- '{name}': {reason}"))
    }
}

impl std::error::Error for ParamErrors {}

/// A type that a single value of a parameter can have.
pub trait ParamValue: Sized {
    /// How its text is read and its type is named.
    const KIND: Kind;

    /// Reads and checks a value; the error is the rule that it breaks.
    fn from_json(value: &Value) -> Result<Self, String>;

    /// The value as it is sent.
    fn to_json(&self) -> Value;
}

/// A type that a field of a command can have: `T`, `Option<T>`, `Vec<T>` or [`OneOrMore<T>`].
pub trait ParamField: Sized {
    /// The kind of one value.
    const KIND: Kind;
    /// Whether several may be given.
    const MANY: bool = false;
    /// Whether something must be given, where the command has no default for it.
    const REQUIRED: bool = false;

    /// Reads what was given, if anything.
    fn read(given: Option<&Value>) -> Result<Self, String>;

    /// What to send; none for nothing.
    fn show(&self) -> Option<Value>;
}

impl<T: ParamValue> ParamField for T {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = true;

    fn read(given: Option<&Value>) -> Result<Self, String> {
        T::from_json(given.ok_or(ParamErrors::MISSING)?)
    }

    fn show(&self) -> Option<Value> {
        Some(self.to_json())
    }
}

impl<T: ParamValue> ParamField for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(given: Option<&Value>) -> Result<Self, String> {
        given.map(T::from_json).transpose()
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().map(T::to_json)
    }
}

impl<T: ParamValue> ParamField for Vec<T> {
    const KIND: Kind = T::KIND;
    const MANY: bool = true;

    fn read(given: Option<&Value>) -> Result<Self, String> {
        match given {
            None => Ok(Self::new()),
            Some(Value::Array(values)) => values.iter().map(T::from_json).collect(),
            Some(_) => Err("must be a list".into()),
        }
    }

    fn show(&self) -> Option<Value> {
        (!self.is_empty()).then(|| self.iter().map(T::to_json).collect())
    }
}

/// A list that is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

impl<T> OneOrMore<T> {
    /// The elements, at least one.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The elements, at least one.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T: ParamValue> ParamField for OneOrMore<T> {
    const KIND: Kind = T::KIND;
    const MANY: bool = true;
    const REQUIRED: bool = true;

    fn read(given: Option<&Value>) -> Result<Self, String> {
        let values = Vec::<T>::read(given)?;
        if values.is_empty() { Err(ParamErrors::MISSING.into()) } else { Ok(Self(values)) }
    }

    fn show(&self) -> Option<Value> {
        self.0.show()
    }
}

/// Reads the fields of one command and collects what is wrong with them.
pub(super) struct ParamReader<'a> {
    info: &'static CommandInfo,
    given: &'a Map<String, Value>,
    errors: ParamErrors,
}

impl<'a> ParamReader<'a> {
    pub(super) fn new(info: &'static CommandInfo, given: &'a Map<String, Value>) -> Self {
        Self { info, given, errors: ParamErrors::default() }
    }

    /// Reads one field; none where it is wrong, which [`ParamReader::finish`] then tells.
    pub(super) fn field<T: ParamField>(&mut self, name: &str, default: Option<Value>) -> Option<T> {
        let spellings = self.info.param(name).map_or(&[][..], |param| param.aliases);
        let mut given = std::iter::once(name)
            .chain(spellings.iter().copied())
            .filter_map(|spelling| self.given.get(spelling))
            .filter(|value| !value.is_null());
        let value = given.next();
        if given.next().is_some() {
            self.errors.add(name, ParamErrors::DUPLICATE);
            return None;
        }
        let read = T::read(value.or(default.as_ref()));
        read.map_err(|reason| self.errors.add(name, reason)).ok()
    }

    /// What `build` makes of the fields, if nothing is wrong with any.
    pub(super) fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Result<T, ParamErrors> {
        for name in self.given.keys().filter(|name| self.info.param(name).is_none()) {
            self.errors.add(name, ParamErrors::UNKNOWN);
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        build().ok_or(self.errors)
    }
}
