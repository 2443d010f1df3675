//! Who may do what: the tree of rights in `acl.cfg` (`config.md` §4.12).
//!
//! ```text
//! acl:PROPAGATE:PATH:USERS:ROLES
//! ```
//!
//! Nodes of the tree are objects; each says which roles a user, a token or a group has on it, and whether they reach
//! down to what lies below. [`parse`] and [`AclTree::to_text`] are pure, [`AclTree::roles`] and what follows from it
//! too; [`AclFile`] reads and replaces the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use reel_types::{AclPath, AuthId, Privileges, Role};

use crate::section::SyntaxError;
use crate::{ConfigDigest, ConfigDir, ConfigError, FileClass};

const FILE: &str = "acl.cfg";
const LOCK: &str = ".acl.lck";

/// Whom a role is given to. The order is that of the text in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// A user or a token.
    Id(AuthId),
    /// A group of users, which is read and kept and matches nobody.
    Group(String),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

impl Grantee {
    fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("") => Err("a group has no name".into()),
            Some(group) => Ok(Self::Group(group.into())),
            None => text.parse().map(Self::Id).map_err(|error| format!("{error}")),
        }
    }
}

/// Roles, each with whether it reaches down.
pub type Roles = BTreeMap<Role, bool>;

/// A right that was given: one row of `acl list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// On which object, as in the file: any path.
    pub path: String,
    /// To whom.
    pub grantee: Grantee,
    /// Which role.
    pub role: Role,
    /// Whether it reaches down.
    pub propagate: bool,
}

/// All rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclTree {
    root: Node,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    grants: BTreeMap<Grantee, Roles>,
    children: BTreeMap<String, Node>,
}

/// Reads the text of a file.
pub fn parse(text: &str) -> Result<AclTree, SyntaxError> {
    let mut tree = AclTree::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            tree.read_line(line).map_err(|reason| SyntaxError { line: index + 1, reason })?;
        }
    }
    Ok(tree)
}

impl AclTree {
    fn read_line(&mut self, line: &str) -> Result<(), String> {
        let fields: Vec<&str> = line.split(':').collect();
        let &["acl", propagate, path, grantees, roles] = fields.as_slice() else {
            return Err("must be 'acl:PROPAGATE:PATH:USERS:ROLES'".into());
        };
        let propagate = match propagate {
            "0" => false,
            "1" => true,
            other => return Err(format!("propagate is '{other}', must be 0 or 1")),
        };
        let grantees: Vec<Grantee> = grantees
            .split(',')
            .map(|text| Grantee::parse(text.trim()))
            .collect::<Result<_, _>>()?;
        for role in roles.split(',') {
            let role: Role = role.trim().parse().map_err(|error| format!("{error}"))?;
            for grantee in &grantees {
                self.insert(path.split('/'), grantee.clone(), role, propagate);
            }
        }
        Ok(())
    }

    fn insert<'n>(
        &mut self,
        path: impl Iterator<Item = &'n str>,
        grantee: Grantee,
        role: Role,
        propagate: bool,
    ) {
        let roles = self.root.descend(path).grants.entry(grantee).or_default();
        if role == Role::NoAccess {
            roles.clear();
        } else {
            roles.remove(&Role::NoAccess);
        }
        roles.insert(role, propagate);
    }

    /// Gives a role. `NoAccess` takes the place of all others on the same object, and goes when another is given.
    pub fn grant(&mut self, path: &AclPath, id: &AuthId, role: Role, propagate: bool) {
        self.insert(path.components(), Grantee::Id(id.clone()), role, propagate);
    }

    /// Takes a role back, if it was given on just this object.
    pub fn revoke(&mut self, path: &AclPath, id: &AuthId, role: Role) {
        let grantee = Grantee::Id(id.clone());
        if let Some(node) = self.root.find_mut(path.components()) {
            if let Some(roles) = node.grants.get_mut(&grantee) {
                roles.remove(&role);
            }
            node.grants.retain(|_, roles| !roles.is_empty());
        }
        self.root.prune();
    }

    /// Takes back whatever was given to one of `ids`; says whether that was anything.
    pub fn revoke_all(&mut self, ids: &[AuthId]) -> bool {
        let changed = self.root.forget(ids);
        self.root.prune();
        changed
    }

    /// Takes back whatever was given on an object and on all below it; says whether that was anything.
    pub fn remove_object(&mut self, path: &AclPath) -> bool {
        let names: Vec<&str> = path.components().collect();
        let Some((last, above)) = names.split_last() else { return false };
        let parent = self.root.find_mut(above.iter().copied());
        let removed = parent.and_then(|parent| parent.children.remove(*last)).is_some();
        self.root.prune();
        removed
    }

    /// All that was given, in the order of the file.
    pub fn grants(&self) -> Vec<Grant> {
        let mut grants = Vec::new();
        self.root.visit("", &mut |path, node| {
            let rows = node.grants.iter().flat_map(|(grantee, roles)| {
                roles.iter().map(|(role, propagate)| Grant {
                    path: shown(path).into(),
                    grantee: grantee.clone(),
                    role: *role,
                    propagate: *propagate,
                })
            });
            grants.extend(rows);
        });
        grants
    }

    /// The paths of all objects that the file names, and of those above them.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.root.visit("", &mut |path, _| paths.push(shown(path).into()));
        paths
    }

    /// The text of the file (`config.md` §4.12).
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.root.visit("", &mut |path, node| {
            for propagate in [false, true] {
                node.write(shown(path), propagate, &mut text);
            }
        });
        text
    }

    /// The roles of a user or token on an object: those given closest to it, of which those further up must reach
    /// down. Whether each reaches further down stands beside it.
    pub fn roles<'n>(&self, id: &AuthId, path: impl IntoIterator<Item = &'n str>) -> Roles {
        let grantee = Grantee::Id(id.clone());
        let mut names = path.into_iter().peekable();
        let mut node = &self.root;
        let mut found = node.roles_of(&grantee, names.peek().is_none());
        while let Some(name) = names.next() {
            let Some(child) = node.children.get(name) else { break };
            node = child;
            let closer = node.roles_of(&grantee, names.peek().is_none());
            if !closer.is_empty() {
                found = closer;
            }
        }
        found
    }

    /// What a user or token may do with an object, and the part of it that reaches further down. A token may do what
    /// both it and its user may; the superuser everything.
    pub fn privileges<'n>(
        &self,
        id: &AuthId,
        path: impl IntoIterator<Item = &'n str> + Clone,
    ) -> (Privileges, Privileges) {
        if id.is_root() {
            return (Privileges::ALL, Privileges::ALL);
        }
        let mut own = (Privileges::NONE, Privileges::NONE);
        for (role, propagate) in self.roles(id, path.clone()) {
            own.0 = own.0.or(role.privileges());
            if propagate {
                own.1 = own.1.or(role.privileges());
            }
        }
        if id.token().is_none() {
            return own;
        }
        let of_user = self.privileges(&id.owner(), path);
        (own.0.and(of_user.0), own.1.and(of_user.1))
    }

    /// What somebody may do with some object at or below `path`, whatever it is.
    pub fn privileges_below<'n>(
        &self,
        id: &AuthId,
        path: impl IntoIterator<Item = &'n str> + Clone,
    ) -> Privileges {
        let mut all = self.privileges(id, path.clone()).0;
        let base: Vec<&str> = path.into_iter().collect();
        if let Some(node) = self.root.find(base.iter().copied()) {
            node.visit("", &mut |below, _| {
                let names = base.iter().copied().chain(below.split('/').filter(|n| !n.is_empty()));
                all = all.or(self.privileges(id, names).0);
            });
        }
        all
    }
}

/// The path as it is written: the root's is not empty.
fn shown(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

impl Node {
    fn descend<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> &mut Self {
        names
            .filter(|name| !name.is_empty())
            .fold(self, |node, name| node.children.entry(name.into()).or_default())
    }

    fn find<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Option<&Self> {
        names.try_fold(self, |node, name| node.children.get(name))
    }

    fn find_mut<'n>(&mut self, mut names: impl Iterator<Item = &'n str>) -> Option<&mut Self> {
        names.try_fold(self, |node, name| node.children.get_mut(name))
    }

    /// Depth first, each node before its children.
    fn visit(&self, path: &str, visit: &mut impl FnMut(&str, &Self)) {
        visit(path, self);
        for (name, child) in &self.children {
            child.visit(&format!("{path}/{name}"), visit);
        }
    }

    /// Drops what says nothing.
    fn prune(&mut self) {
        self.children.values_mut().for_each(Self::prune);
        self.children.retain(|_, child| !child.grants.is_empty() || !child.children.is_empty());
    }

    fn forget(&mut self, ids: &[AuthId]) -> bool {
        let before = self.grants.len();
        self.grants.retain(|grantee, _| !matches!(grantee, Grantee::Id(id) if ids.contains(id)));
        let here = self.grants.len() != before;
        self.children.values_mut().fold(here, |changed, child| child.forget(ids) || changed)
    }

    /// The roles that count on this node (`is_last`) or for what lies below it.
    fn roles_of(&self, grantee: &Grantee, is_last: bool) -> Roles {
        let given = self.grants.get(grantee).into_iter().flatten();
        let counting: Roles = given
            .filter(|(_, propagate)| is_last || **propagate)
            .map(|(role, propagate)| (*role, *propagate))
            .collect();
        match counting.get(&Role::NoAccess) {
            Some(propagate) => Roles::from([(Role::NoAccess, *propagate)]),
            None => counting,
        }
    }

    /// The lines of one node: who has the same roles shares one.
    fn write(&self, path: &str, propagate: bool, text: &mut String) {
        let mut holders: BTreeMap<Role, BTreeSet<String>> = BTreeMap::new();
        for (grantee, roles) in &self.grants {
            if matches!(grantee, Grantee::Id(id) if id.is_root()) {
                continue;
            }
            for (role, _) in roles.iter().filter(|(_, reaches)| **reaches == propagate) {
                holders.entry(*role).or_default().insert(grantee.to_string());
            }
        }
        let mut lines: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (role, names) in holders {
            let names: Vec<String> = names.into_iter().collect();
            lines.entry(names.join(",")).or_default().insert(role.as_str());
        }
        for (names, roles) in lines {
            let roles = match roles.contains(Role::NoAccess.as_str()) {
                true => Role::NoAccess.as_str().into(),
                false => roles.into_iter().collect::<Vec<_>>().join(","),
            };
            *text += &format!("acl:{}:{path}:{names}:{roles}\n", u8::from(propagate));
        }
    }
}

/// The file of all rights.
#[derive(Debug, Clone, Copy)]
pub struct AclFile<'a> {
    dir: &'a ConfigDir,
}

impl<'a> AclFile<'a> {
    /// Its name in the folder of the configuration.
    pub const NAME: &'static str = FILE;

    /// That of the configuration in `dir`.
    pub fn new(dir: &'a ConfigDir) -> Self {
        Self { dir }
    }

    /// Reads it; a missing file gives nobody anything.
    pub fn load(&self) -> Result<(AclTree, ConfigDigest), ConfigError> {
        let content = self.dir.read(FILE)?;
        let digest = ConfigDigest::of(&content);
        let refuse = |source| ConfigError::Syntax { path: self.dir.file(FILE), source };
        let text = std::str::from_utf8(&content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            refuse(SyntaxError { line, reason: "is not UTF-8 text".into() })
        })?;
        Ok((parse(text).map_err(refuse)?, digest))
    }

    /// Changes it under its lock. Nothing is written if the file isn't the one the caller saw (`expected`), or if
    /// `change` fails or says that it changed nothing.
    pub fn update(
        &self,
        expected: Option<&ConfigDigest>,
        change: impl FnOnce(&mut AclTree) -> Result<bool, ConfigError>,
    ) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let (mut tree, digest) = self.load()?;
        if expected.is_some_and(|expected| *expected != digest) {
            return Err(ConfigError::Stale { path: self.dir.file(FILE) });
        }
        if change(&mut tree)? {
            self.dir.replace(FILE, tree.to_text().as_bytes(), FileClass::Normal)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
