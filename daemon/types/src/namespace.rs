//! Namespaces of a datastore (`datastore.md` §4).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ParseError;
use crate::names::check_safe_id;
use crate::text::serde_as_text;

const KIND: &str = "namespace";

/// A namespace: up to seven nested components; none is the root.
///
/// Its text joins the components by `/`; on disk and on tape each component stands behind an `ns/`
/// of its own ([`Namespace::path`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Vec<Box<str>>);

impl Namespace {
    /// How deep namespaces may nest (the root has depth 0).
    pub const DEPTH_MAX: usize = 7;
    /// How long the text of a namespace may be, counted as `datastore.md` §4.1 does.
    const LENGTH_MAX: usize = 256;

    /// The root namespace.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Whether this is the root namespace.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// How many components there are.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// The components from the root down.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(|component| &**component)
    }

    /// The namespace around this one; none for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    /// The namespace called `component` inside this one.
    pub fn child(&self, component: &str) -> Result<Self, ParseError> {
        check_safe_id(KIND, component, 1..=255)?;
        if self.depth() == Self::DEPTH_MAX {
            return Err(ParseError::new(KIND, component, "namespaces nest at most 7 deep"));
        }
        if self.to_string().len() + component.len() + 1 > Self::LENGTH_MAX {
            return Err(ParseError::new(
                KIND,
                component,
                "longer than 256 characters with its parents",
            ));
        }
        let mut child = self.clone();
        child.0.push(component.into());
        Ok(child)
    }

    /// What is left of this namespace inside `ancestor`; none where it isn't inside.
    pub fn relative_to(&self, ancestor: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(ancestor.0.as_slice())?;
        Some(Self(rest.to_vec()))
    }

    /// This namespace with `rest` nested inside.
    pub fn join(&self, rest: &Self) -> Result<Self, ParseError> {
        rest.components().try_fold(self.clone(), |namespace, component| namespace.child(component))
    }

    /// The path below a datastore: `ns/a/ns/b`, empty for the root (`datastore.md` §4.2).
    pub fn path(&self) -> PathBuf {
        self.components().flat_map(|component| ["ns", component]).collect()
    }

    /// Reads the form `ns/a/ns/b` (empty for the root), as in paths of snapshots on tape.
    pub fn from_path_text(text: &str) -> Result<Self, ParseError> {
        let refuse = || ParseError::new(KIND, text, "must be pairs of 'ns' and a name");
        if text.is_empty() {
            return Ok(Self::root());
        }
        let mut namespace = Self::root();
        let mut parts = text.split('/');
        while let Some(marker) = parts.next() {
            let component = parts.next().filter(|_| marker == "ns").ok_or_else(refuse)?;
            namespace = namespace.child(component)?;
        }
        Ok(namespace)
    }
}

impl FromStr for Namespace {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        text.split('/').try_fold(Self::root(), |namespace, component| namespace.child(component))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, component) in self.components().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(component)?;
        }
        Ok(())
    }
}

serde_as_text!(Namespace);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_levels_and_no_more() {
        let deepest: Namespace = "a/b/c/d/e/f/g".parse().unwrap();
        assert_eq!(deepest.depth(), 7);
        assert!("a/b/c/d/e/f/g/h".parse::<Namespace>().is_err());
    }

    #[test]
    fn length_counts_separators() {
        let long = format!("{}/{}", "x".repeat(200), "y".repeat(56));
        assert!(long.parse::<Namespace>().is_err());
        assert!(long[..long.len() - 1].parse::<Namespace>().is_ok());
    }

    #[test]
    fn path_and_back() {
        let namespace: Namespace = "a/b".parse().unwrap();
        assert_eq!(namespace.path(), PathBuf::from("ns/a/ns/b"));
        assert_eq!(Namespace::from_path_text("ns/a/ns/b").unwrap(), namespace);
        for bad in ["ns", "ns/a/ns", "a/ns", "ns//ns/b", "ns/../ns/b"] {
            assert!(Namespace::from_path_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_that_are_no_names() {
        for bad in ["/", "a/", "/a", "a//b", ".", "..", "a/-b", "a b"] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
    }
}
