//! Folders of fixed and of computed names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;

use crate::attributes::{Attributes, Entry};
use crate::control::{Control, ControlLog};
use crate::directory::{Attempt, Directory, Freshness, Move, not_movable};
use crate::error::FsError;
use crate::node::Node;
use crate::spawn::Preparation;

/// Makes the refusal of a file verb, with the command to use instead.
type Refuse = Arc<dyn Fn(&Attempt<'_>) -> FsError + Send + Sync>;

/// Begins the move of a child to a name in the folder at a path.
type BeginMove = Arc<dyn Fn(&OsStr, &Path, &OsStr) -> Result<Move, FsError> + Send + Sync>;

/// Begins to bring what computed names come from.
type Prepare = Arc<dyn Fn() -> Option<Preparation> + Send + Sync>;

/// A folder whose names are known.
#[derive(Clone)]
pub struct StaticDir {
    children: Vec<(OsString, Node)>,
    attributes: Attributes,
    freshness: Freshness,
    log: Option<Arc<ControlLog>>,
    refuse: Option<Refuse>,
    begin_move: Option<BeginMove>,
}

impl Default for StaticDir {
    fn default() -> Self {
        Self {
            children: Vec::new(),
            attributes: Attributes::DIRECTORY,
            freshness: Freshness::Computed,
            log: None,
            refuse: None,
            begin_move: None,
        }
    }
}

impl StaticDir {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// One name more; a name that is there already gets the new node.
    pub fn with(mut self, name: impl Into<OsString>, node: Node) -> Self {
        let name = name.into();
        match self.children.iter_mut().find(|(known, _)| *known == name) {
            Some((_, child)) => *child = node,
            None => self.children.push((name, node)),
        }
        self
    }

    /// Several names more.
    pub fn with_all<N: Into<OsString>>(self, nodes: impl IntoIterator<Item = (N, Node)>) -> Self {
        nodes.into_iter().fold(self, |directory, (name, node)| directory.with(name, node))
    }

    /// `ctl`, `last-error` and `last-task`; refusals in this folder are noted there.
    pub fn with_control(
        self,
        control: Arc<dyn Control>,
        log: &Arc<ControlLog>,
        attributes: Attributes,
    ) -> Self {
        let files = log.files(control, attributes);
        Self { log: Some(Arc::clone(log)), ..self.with_all(files) }
    }

    /// Notes refusals in this log, without files of its own.
    pub fn with_log(self, log: Arc<ControlLog>) -> Self {
        Self { log: Some(log), ..self }
    }

    /// What to say when a file verb is tried in this folder.
    pub fn with_refusal(
        self,
        refuse: impl Fn(&Attempt<'_>) -> FsError + Send + Sync + 'static,
    ) -> Self {
        Self { refuse: Some(Arc::new(refuse)), ..self }
    }

    /// How children of this folder are moved elsewhere ([`Directory::rename`]).
    pub fn with_move(
        self,
        begin: impl Fn(&OsStr, &Path, &OsStr) -> Result<Move, FsError> + Send + Sync + 'static,
    ) -> Self {
        Self { begin_move: Some(Arc::new(begin)), ..self }
    }

    /// Owner, permissions and time.
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Lets the kernel keep this folder's own name and attributes.
    pub fn immutable(self) -> Self {
        Self { freshness: Freshness::Immutable, ..self }
    }

    /// As a node.
    pub fn node(self) -> Node {
        Node::Directory(Arc::new(self))
    }

    fn child(&self, name: &OsStr) -> Option<Node> {
        self.children.iter().find(|(known, _)| known == name).map(|(_, node)| node.clone())
    }
}

impl Directory for StaticDir {
    fn lookup(&self, name: &OsStr) -> Result<Node, FsError> {
        self.child(name).ok_or_else(|| no_such(name))
    }

    fn entries(&self) -> Result<Vec<Entry>, FsError> {
        let entry = |(name, node): &(OsString, Node)| Entry::new(name, node.kind());
        Ok(self.children.iter().map(entry).collect())
    }

    fn attributes(&self) -> Attributes {
        self.attributes
    }

    fn freshness(&self) -> Freshness {
        self.freshness
    }

    fn control_log(&self) -> Option<Arc<ControlLog>> {
        self.log.clone()
    }

    fn refuse(&self, attempt: &Attempt<'_>) -> FsError {
        self.refuse.as_ref().map_or_else(|| attempt.refusal(), |refuse| refuse(attempt))
    }

    fn rename(&self, name: &OsStr, new_parent: &Path, new_name: &OsStr) -> Result<Move, FsError> {
        match &self.begin_move {
            Some(begin) => begin(name, new_parent, new_name),
            None => Err(not_movable(name)),
        }
    }
}

fn no_such(name: &OsStr) -> FsError {
    FsError::not_found(format!("there is no {}", name.display()))
}

/// A folder whose names are computed, beside fixed ones.
///
/// A computed name that meets a fixed one is shown with a trailing `~`.
pub struct FnDir<E, L> {
    fixed: StaticDir,
    entries: E,
    lookup: L,
    prepare: Option<Prepare>,
}

impl<E, L> FnDir<E, L>
where
    E: Fn() -> Result<Vec<Entry>, FsError> + Send + Sync + 'static,
    L: Fn(&OsStr) -> Result<Node, FsError> + Send + Sync + 'static,
{
    /// `entries` lists the names, `lookup` finds one; ENOENT where there is none.
    pub fn new(entries: E, lookup: L) -> Self {
        Self { fixed: StaticDir::new(), entries, lookup, prepare: None }
    }

    /// The fixed names, with attributes, control log and refusals of the whole folder.
    pub fn beside(self, fixed: StaticDir) -> Self {
        Self { fixed, ..self }
    }

    /// What is awaited before computed names are looked up or listed ([`Directory::prepare`]).
    pub fn prepared_by(
        self,
        prepare: impl Fn() -> Option<Preparation> + Send + Sync + 'static,
    ) -> Self {
        Self { prepare: Some(Arc::new(prepare)), ..self }
    }

    /// As a node.
    pub fn node(self) -> Node {
        Node::Directory(Arc::new(self))
    }

    fn shown(&self, mut entry: Entry) -> Entry {
        if self.fixed.child(&entry.name).is_some() {
            entry.name.push("~");
        }
        entry
    }
}

impl<E, L> Directory for FnDir<E, L>
where
    E: Fn() -> Result<Vec<Entry>, FsError> + Send + Sync + 'static,
    L: Fn(&OsStr) -> Result<Node, FsError> + Send + Sync + 'static,
{
    fn lookup(&self, name: &OsStr) -> Result<Node, FsError> {
        if let Some(node) = self.fixed.child(name) {
            return Ok(node);
        }
        let found = (self.lookup)(name);
        let hidden = name.as_bytes().strip_suffix(b"~").map(|name| OsString::from_vec(name.into()));
        match (found, hidden) {
            (Err(error), Some(hidden))
                if error.errno() == libc::ENOENT && self.fixed.child(&hidden).is_some() =>
            {
                (self.lookup)(&hidden)
            }
            (found, _) => found,
        }
    }

    fn entries(&self) -> Result<Vec<Entry>, FsError> {
        let mut entries = self.fixed.entries()?;
        entries.extend((self.entries)()?.into_iter().map(|entry| self.shown(entry)));
        Ok(entries)
    }

    /// Fixed names are there whatever comes.
    fn prepare(&self, name: Option<&OsStr>) -> Option<Preparation> {
        let prepare = self.prepare.as_ref()?;
        let is_fixed = name.is_some_and(|name| self.fixed.child(name).is_some());
        if is_fixed { None } else { prepare() }
    }

    fn attributes(&self) -> Attributes {
        self.fixed.attributes()
    }

    fn freshness(&self) -> Freshness {
        self.fixed.freshness()
    }

    fn control_log(&self) -> Option<Arc<ControlLog>> {
        self.fixed.control_log()
    }

    fn refuse(&self, attempt: &Attempt<'_>) -> FsError {
        self.fixed.refuse(attempt)
    }

    fn rename(&self, name: &OsStr, new_parent: &Path, new_name: &OsStr) -> Result<Move, FsError> {
        self.fixed.rename(name, new_parent, new_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::text;

    fn names(directory: &dyn Directory) -> Vec<String> {
        let entries = directory.entries().unwrap();
        entries.iter().map(|entry| entry.name.display().to_string()).collect()
    }

    #[test]
    fn a_computed_name_that_meets_a_fixed_one_gets_a_tilde() {
        let known = ["plan", "daily"];
        let directory = FnDir::new(
            move || Ok(known.map(Entry::directory).to_vec()),
            move |name| match known.iter().any(|known| *known == name) {
                true => Ok(StaticDir::new().node()),
                false => Err(no_such(name)),
            },
        )
        .beside(StaticDir::new().with("plan", text("x")));
        assert_eq!(names(&directory), ["plan", "plan~", "daily"]);
        assert!(matches!(directory.lookup(OsStr::new("plan")), Ok(Node::Fact(_))));
        assert!(matches!(directory.lookup(OsStr::new("plan~")), Ok(Node::Directory(_))));
        assert!(matches!(directory.lookup(OsStr::new("daily")), Ok(Node::Directory(_))));
        assert_eq!(directory.lookup(OsStr::new("daily~")).unwrap_err().errno(), libc::ENOENT);
    }

    #[test]
    fn a_name_stands_once() {
        let directory = StaticDir::new().with("a", text("1")).with("a", StaticDir::new().node());
        assert_eq!(names(&directory), ["a"]);
        assert!(matches!(directory.lookup(OsStr::new("a")), Ok(Node::Directory(_))));
    }
}
