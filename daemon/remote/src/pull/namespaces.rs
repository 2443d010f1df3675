//! Which namespace is pulled into which (`sync.md` §3).

use reel_types::{Namespace, NamespaceDepth, ParseError};

/// The anchors of a pull: what is below the one there goes below the one here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceMapping {
    /// Below which namespace of the source.
    pub source: Namespace,
    /// Below which namespace here.
    pub target: Namespace,
}

/// A namespace of the source, and the one here that it goes into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacePair {
    /// There.
    pub source: Namespace,
    /// Here.
    pub target: Namespace,
}

impl NamespaceMapping {
    /// The namespace here for one of the source.
    ///
    /// # Errors
    /// It is not below the source's anchor, or would lie too deep here.
    pub fn target_of(&self, source: &Namespace) -> Result<Namespace, ParseError> {
        let below = source.relative_to(&self.source).ok_or_else(|| {
            let reason = format!("is not below '{}', which was asked for", self.source);
            ParseError::new("namespace of the source", source.to_string(), reason)
        })?;
        self.target.join(&below)
    }

    /// What goes into what, parents first.
    ///
    /// # Errors
    /// As [`target_of`](Self::target_of), for any of them: then nothing is begun.
    pub fn pairs(&self, listed: Vec<Namespace>) -> Result<Vec<NamespacePair>, ParseError> {
        let pair =
            |source: Namespace| Ok(NamespacePair { target: self.target_of(&source)?, source });
        let mut pairs = listed.into_iter().map(pair).collect::<Result<Vec<_>, ParseError>>()?;
        pairs.sort_by_cached_key(|pair| (pair.source.to_string().len(), pair.source.to_string()));
        Ok(pairs)
    }

    /// How deep below its anchor here namespaces may have vanished, for a pull of so many levels.
    pub fn depth_here(&self, max_depth: Option<NamespaceDepth>) -> usize {
        let full = NamespaceDepth::FULL.levels();
        let wanted = max_depth.map_or(full - self.source.depth(), NamespaceDepth::levels);
        wanted.min(full - self.target.depth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(text: &str) -> Namespace {
        text.parse().unwrap()
    }

    fn mapping(source: &str, target: &str) -> NamespaceMapping {
        NamespaceMapping { source: ns(source), target: ns(target) }
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let rows = [
            (
                "location_a/department_x",
                "location_a_dep_x",
                "location_a/department_x",
                "location_a_dep_x",
            ),
            (
                "location_a/department_x",
                "location_a_dep_x",
                "location_a/department_x/team_one",
                "location_a_dep_x/team_one",
            ),
            ("", "x", "", "x"),
            ("", "x", "a/b", "x/a/b"),
            ("a/b", "a/b", "a/b/c", "a/b/c"),
        ];
        for (source, target, from, to) in rows {
            assert_eq!(mapping(source, target).target_of(&ns(from)), Ok(ns(to)), "{from}");
        }
    }

    #[test]
    fn what_is_not_below_the_anchor_or_too_deep_is_refused() {
        assert!(mapping("a", "x").target_of(&ns("b/c")).is_err());
        assert!(mapping("a", "x").target_of(&ns("ab")).is_err(), "a name is compared as a whole");
        let deep = mapping("", "1/2/3/4/5");
        assert!(deep.pairs(vec![ns(""), ns("a/b")]).is_ok());
        assert!(deep.pairs(vec![ns(""), ns("a/b/c")]).is_err());
    }

    #[test]
    fn parents_come_before_children() {
        let pairs =
            mapping("", "x").pairs(vec![ns("bb/c"), ns("a/b/c"), ns("bb"), ns(""), ns("a")]);
        let sources: Vec<_> =
            pairs.unwrap().into_iter().map(|pair| pair.source.to_string()).collect();
        assert_eq!(sources, ["", "a", "bb", "bb/c", "a/b/c"]);
    }

    #[test]
    fn vanished_namespaces_are_looked_for_as_deep_as_was_pulled() {
        let depth = |levels: u8| NamespaceDepth::try_from(levels).ok();
        assert_eq!(mapping("", "").depth_here(None), 7);
        assert_eq!(mapping("a/b", "").depth_here(None), 5);
        assert_eq!(mapping("", "x/y/z").depth_here(None), 4);
        assert_eq!(mapping("", "x").depth_here(depth(2)), 2);
    }
}
