//! Facts, links and content of closures and values.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::attributes::{Attributes, Caller};
use crate::content::{Caching, Content, ContentHandle};
use crate::error::FsError;
use crate::fact::{Fact, slice};
use crate::node::{Node, Symlink};
use crate::spawn::Preparation;

/// A fact that a function tells.
pub struct FnFact {
    render: Box<dyn Fn() -> Result<String, FsError> + Send + Sync>,
    modified: Option<Box<dyn Fn() -> Option<SystemTime> + Send + Sync>>,
    prepare: Option<Box<dyn Fn() -> Option<Preparation> + Send + Sync>>,
    attributes: Attributes,
    live: bool,
    cheap: bool,
    slow: bool,
}

impl FnFact {
    /// The function gives the whole text, with its newline.
    pub fn new(render: impl Fn() -> Result<String, FsError> + Send + Sync + 'static) -> Self {
        Self {
            render: Box::new(render),
            modified: None,
            prepare: None,
            attributes: Attributes::FILE,
            live: false,
            cheap: false,
            slow: false,
        }
    }

    /// Owner and permissions.
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Tells when the fact last changed.
    pub fn modified_by(
        self,
        modified: impl Fn() -> Option<SystemTime> + Send + Sync + 'static,
    ) -> Self {
        Self { modified: Some(Box::new(modified)), ..self }
    }

    /// What is awaited before it is rendered ([`Fact::prepare`]).
    pub fn prepared_by(
        self,
        prepare: impl Fn() -> Option<Preparation> + Send + Sync + 'static,
    ) -> Self {
        Self { prepare: Some(Box::new(prepare)), ..self }
    }

    /// A read at offset 0 renders anew.
    pub fn live(self) -> Self {
        Self { live: true, ..self }
    }

    /// `stat` renders it to tell the true size.
    pub fn cheap(self) -> Self {
        Self { cheap: true, ..self }
    }

    /// Rendering may wait for a device.
    pub fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// As a node.
    pub fn node(self) -> Node {
        Node::Fact(Arc::new(self))
    }
}

impl Fact for FnFact {
    fn render(&self) -> Result<Vec<u8>, FsError> {
        (self.render)().map(String::into_bytes)
    }

    fn prepare(&self) -> Option<Preparation> {
        self.prepare.as_ref()?()
    }

    fn attributes(&self) -> Attributes {
        let changed = self.modified.as_ref().and_then(|modified| modified());
        Attributes { modified: changed.or(self.attributes.modified), ..self.attributes }
    }

    fn cheap(&self) -> bool {
        self.cheap
    }

    fn slow(&self) -> bool {
        self.slow
    }

    fn live(&self) -> bool {
        self.live
    }
}

/// A fact that a function tells, with usual attributes.
pub fn fact(render: impl Fn() -> Result<String, FsError> + Send + Sync + 'static) -> Node {
    FnFact::new(render).node()
}

/// A fact that never changes; its size is true.
pub fn text(text: impl Into<String>) -> Node {
    let text = text.into();
    FnFact::new(move || Ok(text.clone())).cheap().node()
}

/// Several facts that don't change, each with its newline added: `facts([("state", "ready")])`.
/// An absent value is an empty file.
pub fn facts<N: Into<String>, V: Into<String>>(
    values: impl IntoIterator<Item = (N, V)>,
) -> Vec<(String, Node)> {
    let line = |value: String| if value.is_empty() { value } else { value + "\n" };
    values.into_iter().map(|(name, value)| (name.into(), text(line(value.into())))).collect()
}

/// A link whose target a function tells.
pub struct FnSymlink<F> {
    target: F,
}

impl<F: Fn() -> Result<PathBuf, FsError> + Send + Sync + 'static> FnSymlink<F> {
    /// The function gives the target.
    pub fn new(target: F) -> Self {
        Self { target }
    }

    /// As a node.
    pub fn node(self) -> Node {
        Node::Symlink(Arc::new(self))
    }
}

impl<F: Fn() -> Result<PathBuf, FsError> + Send + Sync + 'static> Symlink for FnSymlink<F> {
    fn target(&self) -> Result<PathBuf, FsError> {
        (self.target)()
    }
}

/// A link to a fixed target.
pub fn symlink(target: impl Into<PathBuf>) -> Node {
    let target = target.into();
    FnSymlink::new(move || Ok(target.clone())).node()
}

/// Content that is in memory: a decoded blob, a note.
#[derive(Clone)]
pub struct MemoryContent {
    bytes: Bytes,
    attributes: Attributes,
    caching: Caching,
}

impl MemoryContent {
    /// These bytes, not cached by the kernel.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), attributes: Attributes::FILE, caching: Caching::Never }
    }

    /// Owner, permissions and time.
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    /// Lets the kernel keep the bytes; `version` stands for them.
    pub fn immutable(self, version: u64) -> Self {
        Self { caching: Caching::Immutable { version }, ..self }
    }

    /// As a node.
    pub fn node(self) -> Node {
        Node::Content(Arc::new(self))
    }
}

impl Content for MemoryContent {
    fn size(&self) -> Result<u64, FsError> {
        Ok(self.bytes.len() as u64)
    }

    fn attributes(&self) -> Attributes {
        self.attributes
    }

    fn caching(&self) -> Caching {
        self.caching
    }

    fn open(&self, _caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        Ok(Arc::new(self.clone()))
    }
}

impl ContentHandle for MemoryContent {
    fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        ready(Ok(slice(&self.bytes, offset, size))).boxed()
    }
}
