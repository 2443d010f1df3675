//! Paths of objects in the ACL tree (`config.md` §4.12).

use crate::names::check_safe_id;
use crate::text::checked_text;
use crate::{JobId, Namespace, ParseError, PoolName, RemoteName, StoreName};

const KIND: &str = "ACL path";
/// Characters of a path at most.
const CHARS_MAX: usize = 128;

checked_text!(
    /// An object that rights are given on: `/`, `/datastore/store1/ns`, `/tape/pool`. Which there are says
    /// [`AclPath::check_known`].
    AclPath, |text| check(text)
);

fn check(text: &str) -> Result<(), ParseError> {
    if !(1..=CHARS_MAX).contains(&text.chars().count()) {
        return Err(ParseError::new(KIND, text, "must be 1 to 128 characters long"));
    }
    if text == "/" {
        return Ok(());
    }
    let path = text.strip_prefix('/');
    let path = path.ok_or_else(|| ParseError::new(KIND, text, "must begin with '/'"))?;
    path.split('/').try_for_each(|name| {
        check_safe_id(KIND, name, 1..=CHARS_MAX).map_err(|error| {
            ParseError::new(KIND, text, format!("each name between '/' {}", error.reason()))
        })
    })
}

impl AclPath {
    /// The root, `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The path of names that are safe ids. Not bounded in length: what is asked about may be longer than what rights
    /// can be given on.
    fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().flat_map(|name| ["/", name]).collect::<String>().into())
    }

    /// A datastore.
    pub fn datastore(store: &StoreName) -> Self {
        Self::of(["datastore", store.as_str()])
    }

    /// A namespace of a datastore; the datastore for the root.
    pub fn namespace(store: &StoreName, namespace: &Namespace) -> Self {
        Self::of(["datastore", store.as_str()].into_iter().chain(namespace.components()))
    }

    /// A remote.
    pub fn remote(remote: &RemoteName) -> Self {
        Self::of(["remote", remote.as_str()])
    }

    /// A datastore of a remote.
    pub fn remote_store(remote: &RemoteName, store: &StoreName) -> Self {
        Self::of(["remote", remote.as_str(), store.as_str()])
    }

    /// A drive or changer of this name.
    pub fn tape_device(name: &str) -> Self {
        Self::of(["tape", "device", name])
    }

    /// A media pool.
    pub fn tape_pool(pool: &PoolName) -> Self {
        Self::of(["tape", "pool", pool.as_str()])
    }

    /// A backup job.
    pub fn tape_job(job: &JobId) -> Self {
        Self::of(["tape", "job", job.as_str()])
    }

    /// A path without objects of its own, such as `/tape/pool`.
    pub fn fixed(names: &[&'static str]) -> Self {
        Self::of(names.iter().copied())
    }

    /// The names on the way down from the root.
    pub fn components(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Whether rights can be given on it: a path that PBS knows.
    pub fn check_known(&self) -> Result<(), ParseError> {
        let names: Vec<&str> = self.components().collect();
        if is_known(&names) {
            return Ok(());
        }
        Err(ParseError::new(
            KIND,
            self.as_str(),
            "there is no such object; paths are '/', '/access', '/datastore[/STORE[/NAMESPACE…]]', \
             '/remote[/REMOTE[/STORE]]', '/system' and '/tape[/device|pool|job[/NAME]]'",
        ))
    }
}

fn is_known(names: &[&str]) -> bool {
    match names {
        [] | ["access" | "datastore" | "remote" | "system" | "tape"] => true,
        ["access", "acl" | "users" | "domains" | "openid"] | ["access", "openid", _] => true,
        ["datastore", _, namespace @ ..] => namespace.len() <= Namespace::DEPTH_MAX,
        ["remote", _] | ["remote", _, _] => true,
        ["system", "services" | "network"] | ["system", "services", _] => true,
        ["system", name] => SYSTEM.contains(name),
        ["system", "network", "dns" | "interfaces"] | ["system", "network", "interfaces", _] => {
            true
        }
        ["tape", "device" | "pool" | "job"] | ["tape", "device" | "pool" | "job", _] => true,
        _ => false,
    }
}

const SYSTEM: [&str; 7] =
    ["certificates", "disks", "log", "notifications", "status", "tasks", "time"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["/", "/a", "/datastore/store1/ns", "/nowhere"] {
            assert!(good.parse::<AclPath>().is_ok(), "{good}");
        }
        let long = format!("/{}", "x".repeat(128));
        for bad in ["", "datastore", "/a/", "//", "/a//b", "/a b", "/ä", "/-x", &long] {
            assert!(bad.parse::<AclPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn known_paths() {
        let known = |text: &str| text.parse::<AclPath>().unwrap().check_known().is_ok();
        for good in [
            "/",
            "/access/users",
            "/access/openid/x",
            "/datastore",
            "/datastore/s/1/2/3/4/5/6/7",
            "/remote/r/s",
            "/system/network/interfaces/eth0",
            "/system/services/x",
            "/system/tasks",
            "/tape/job/j",
        ] {
            assert!(known(good), "{good}");
        }
        for bad in [
            "/foo",
            "/access/foo",
            "/datastore/s/1/2/3/4/5/6/7/8",
            "/remote/r/s/n",
            "/system/foo",
            "/tape/drive/x",
            "/tape/pool/p/x",
        ] {
            assert!(!known(bad), "{bad}");
        }
    }

    #[test]
    fn objects_have_paths() {
        let store = "store1".parse().unwrap();
        let path = AclPath::namespace(&store, &"a/b".parse().unwrap());
        assert_eq!(path.as_str(), "/datastore/store1/a/b");
        assert_eq!(path.components().collect::<Vec<_>>(), ["datastore", "store1", "a", "b"]);
        assert_eq!(AclPath::root().components().count(), 0);
    }
}
