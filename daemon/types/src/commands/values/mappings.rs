//! Which content of a media set is restored, and where to (`cli-tape.md` §4).

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;
use crate::{
    GroupPath, MediaSetId, Namespace, NamespaceDepth, ParseError, SnapshotPath, StoreName,
};

/// Media sets in the order in which they are taken: `UUID[,UUID…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeveralSets(Vec<MediaSetId>);

impl SeveralSets {
    /// The sets, each once.
    pub fn sets(&self) -> &[MediaSetId] {
        &self.0
    }
}

impl FromStr for SeveralSets {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let sets: Vec<MediaSetId> =
            text.split(',').map(|set| set.trim().parse()).collect::<Result<_, _>>()?;
        let names_twice = (1..sets.len()).any(|at| sets[..at].contains(&sets[at]));
        if names_twice {
            return Err(ParseError::new("list of media sets", text, "names one twice"));
        }
        Ok(Self(sets))
    }
}

impl fmt::Display for SeveralSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&sets.join(","))
    }
}

/// Which datastore the content of each datastore on tape goes to: `[SOURCE=]TARGET,…`
/// (`tape-state.md` §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreMap {
    default: Option<StoreName>,
    pairs: Vec<(StoreName, StoreName)>,
}

impl StoreMap {
    /// Where the content of `source` goes; none if it is left out.
    pub fn target(&self, source: &StoreName) -> Option<&StoreName> {
        let pair = self.pairs.iter().find(|(from, _)| from == source);
        pair.map(|(_, to)| to).or(self.default.as_ref())
    }

    /// All datastores that something may go to, each once.
    pub fn targets(&self) -> Vec<&StoreName> {
        let mut targets: Vec<_> =
            self.pairs.iter().map(|(_, to)| to).chain(self.default.as_ref()).collect();
        targets.sort();
        targets.dedup();
        targets
    }
}

impl FromStr for StoreMap {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new("datastore mapping", text, reason);
        let store = |name: &str| {
            name.parse::<StoreName>()
                .map_err(|error| refuse(&format!("'{name}' {}", error.reason())))
        };
        let mut map = Self { default: None, pairs: Vec::new() };
        for element in text.split(',').map(str::trim).filter(|element| !element.is_empty()) {
            let (is_new, twice) = match element.split_once('=') {
                Some((source, target)) => {
                    (map.add_pair(store(source)?, store(target)?), "names a source twice")
                }
                None => {
                    let before = map.default.replace(store(element)?);
                    (before.is_none(), "multiple default stores given")
                }
            };
            if !is_new {
                return Err(refuse(twice));
            }
        }
        if map.targets().is_empty() {
            return Err(refuse(
                "no datastores given; it is '[SOURCE=]TARGET', several joined by ','",
            ));
        }
        Ok(map)
    }
}

impl StoreMap {
    fn add_pair(&mut self, source: StoreName, target: StoreName) -> bool {
        let new = self.pairs.iter().all(|(from, _)| *from != source);
        self.pairs.push((source, target));
        new
    }
}

impl fmt::Display for StoreMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.pairs.iter().map(|(source, target)| format!("{source}={target}"));
        let all: Vec<_> = pairs.chain(self.default.iter().map(ToString::to_string)).collect();
        f.write_str(&all.join(","))
    }
}

/// Which namespace of a datastore on tape goes where:
/// `store=NAME[,source=NS][,target=NS][,max-depth=N]` (`cli-tape.md` §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceMap {
    /// The datastore on tape.
    pub store: StoreName,
    /// What is taken from it.
    pub source: Namespace,
    /// Where it goes.
    pub target: Namespace,
    /// How many levels below the source are taken; none is all.
    pub depth: Option<NamespaceDepth>,
}

impl FromStr for NamespaceMap {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new("namespace mapping", text, reason);
        let named = |key: &str, error: ParseError| refuse(&format!("{key}: {}", error.reason()));
        let (mut store, mut source, mut target, mut depth) = (None, None, None, None);
        for element in text.split(',') {
            let (key, value) = element.split_once('=').unwrap_or(("store", element));
            let again = match key {
                "store" => store.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "source" => source.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "target" => target.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                "max-depth" => depth.replace(value.parse().map_err(|e| named(key, e))?).is_some(),
                _ => return Err(refuse("takes only store, source, target and max-depth")),
            };
            if again {
                return Err(refuse("names a key twice"));
            }
        }
        Ok(Self {
            store: store.ok_or_else(|| refuse("must name its store"))?,
            source: source.unwrap_or_default(),
            target: target.unwrap_or_default(),
            depth,
        })
    }
}

impl fmt::Display for NamespaceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store={}", self.store)?;
        if !self.source.is_root() {
            write!(f, ",source={}", self.source)?;
        }
        if !self.target.is_root() {
            write!(f, ",target={}", self.target)?;
        }
        self.depth.map_or(Ok(()), |depth| write!(f, ",max-depth={depth}"))
    }
}

/// A snapshot in a media set: `STORE:[ns/A/…]TYPE/ID/TIME` (`tape-format.md` §6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TapeSnapshot {
    /// The datastore that it was backed up from.
    pub store: StoreName,
    /// Where it was in there.
    pub path: SnapshotPath,
}

impl FromStr for TapeSnapshot {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (store, path) = on_tape("snapshot on tape", "STORE:[ns/NAME/…]TYPE/ID/TIME", text)?;
        Ok(Self { store, path })
    }
}

/// Splits `STORE:PATH`; `what` it is and its `form` are for the refusal.
fn on_tape<P: FromStr<Err = ParseError>>(
    what: &'static str,
    form: &str,
    text: &str,
) -> Result<(StoreName, P), ParseError> {
    let refuse = |reason: &str| ParseError::new(what, text, reason);
    let (store, path) = text.split_once(':').ok_or_else(|| refuse(&format!("must be '{form}'")))?;
    let store = store.parse().map_err(|error: ParseError| refuse(error.reason()))?;
    let path = path.parse().map_err(|error: ParseError| refuse(error.reason()))?;
    Ok((store, path))
}

impl fmt::Display for TapeSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)
    }
}

serde_as_text!(TapeSnapshot);

/// A group in a media set: `STORE:[ns/A/…]TYPE/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TapeGroup {
    /// The datastore that it was backed up from.
    pub store: StoreName,
    /// Where it was in there.
    pub path: GroupPath,
}

impl FromStr for TapeGroup {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (store, path) = on_tape("group on tape", "STORE:[ns/NAME/…]TYPE/ID", text)?;
        Ok(Self { store, path })
    }
}

impl fmt::Display for TapeGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)
    }
}

serde_as_text!(TapeGroup);

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> StoreName {
        name.parse().unwrap()
    }

    #[test]
    fn where_datastores_on_tape_go() {
        let map: StoreMap = "store1=copy1,rest".parse().unwrap();
        assert_eq!(map.target(&store("store1")), Some(&store("copy1")));
        assert_eq!(map.target(&store("other")), Some(&store("rest")));
        assert_eq!(map.targets(), [&store("copy1"), &store("rest")]);
        let map: StoreMap = "store1=copy1".parse().unwrap();
        assert_eq!(map.target(&store("other")), None);
        for bad in ["", ",", "a", "store1=", "aaa,bbb", "aaa=bbb,aaa=ccc", "aaa=bbb=ccc"] {
            assert!(bad.parse::<StoreMap>().is_err(), "{bad}");
        }
    }

    #[test]
    fn where_namespaces_on_tape_go() {
        for text in ["store=store1", "store=store1,source=a/b,target=c,max-depth=2"] {
            assert_eq!(text.parse::<NamespaceMap>().unwrap().to_string(), text);
        }
        let map: NamespaceMap = "store1,max-depth=0".parse().unwrap();
        assert_eq!(map.depth, Some(NamespaceDepth::ITSELF));
        for bad in
            ["", "source=a", "store=store1,max-depth=8", "store=aaa,store=bbb", "store=aaa,x=1"]
        {
            assert!(bad.parse::<NamespaceMap>().is_err(), "{bad}");
        }
    }

    #[test]
    fn snapshots_on_tape() {
        let text = "store1:ns/a/vm/100/2021-01-11T10:43:48Z";
        let snapshot: TapeSnapshot = text.parse().unwrap();
        assert_eq!(snapshot.path.namespace.to_string(), "a");
        assert_eq!(snapshot.to_string(), text);
        for bad in
            ["", "vm/100/2021-01-11T10:43:48Z", "s:vm/100/2021-01-11T10:43:48Z", "store1:vm/100"]
        {
            assert!(bad.parse::<TapeSnapshot>().is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_on_tape() {
        let text = "store1:ns/a/vm/100";
        let group: TapeGroup = text.parse().unwrap();
        assert_eq!(
            (group.path.namespace.to_string().as_str(), group.to_string().as_str()),
            ("a", text)
        );
        for bad in ["", "vm/100", "store1:vm", "store1:vm/100/2021-01-11T10:43:48Z"] {
            assert!(bad.parse::<TapeGroup>().is_err(), "{bad}");
        }
    }
}
