//! Which paths there are, and who answers for them.

use std::collections::BTreeSet;

use http::Method;
use reel_types::Privilege;

use super::answer::Reply;
use super::api;
use super::asked::Asked;
use super::params::Given;
use super::reader::Session;
use super::refusal::Outcome;

/// One path with one method.
pub(super) struct Route {
    pub(super) method: Method,
    /// The components behind the format; `{name}` stands for any, which becomes a parameter.
    path: &'static [&'static str],
    pub(super) access: Access,
    pub(super) call: Call,
}

/// Who may use a path, before anything is known of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    World,
    /// Whoever has been let in; more is for the handler to ask.
    User,
    /// Whoever has one of these on the datastore.
    Store(&'static [Privilege]),
}

/// What answers.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// With a reply.
    Reply(fn(Asked) -> Outcome<Reply>),
    /// By another protocol on the same connection.
    Reader(fn(Asked) -> Outcome<Session>),
}

const fn get(path: &'static [&'static str], call: fn(Asked) -> Outcome<Reply>) -> Route {
    get_as(Access::User, path, call)
}

const fn get_as(
    access: Access,
    path: &'static [&'static str],
    call: fn(Asked) -> Outcome<Reply>,
) -> Route {
    Route { method: Method::GET, path, access, call: Call::Reply(call) }
}

const STATUS: Access = Access::Store(&[Privilege::DatastoreAudit, Privilege::DatastoreBackup]);

static ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: &["access", "ticket"],
        access: Access::World,
        call: Call::Reply(api::access::ticket),
    },
    get(&["admin", "datastore"], api::datastore::list),
    get(&["admin", "datastore", "{store}", "download"], api::files::download),
    get(&["admin", "datastore", "{store}", "download-decoded"], api::files::download_decoded),
    get(&["admin", "datastore", "{store}", "files"], api::snapshots::files),
    get(&["admin", "datastore", "{store}", "group-notes"], api::notes::of_group),
    get(&["admin", "datastore", "{store}", "groups"], api::groups::list),
    get(&["admin", "datastore", "{store}", "namespace"], api::datastore::namespaces),
    get(&["admin", "datastore", "{store}", "notes"], api::notes::of_snapshot),
    get(&["admin", "datastore", "{store}", "protected"], api::notes::is_protected),
    get(&["admin", "datastore", "{store}", "snapshots"], api::snapshots::list),
    get_as(STATUS, &["admin", "datastore", "{store}", "status"], api::datastore::status),
    get_as(Access::World, &["ping"], api::version::ping),
    Route {
        method: Method::GET,
        path: &["reader"],
        access: Access::User,
        call: Call::Reader(Session::open),
    },
    get(&["version"], api::version::version),
];

/// What a path leads to.
pub(super) enum Found {
    /// A route, and what its path tells.
    Route(&'static Route, Given),
    /// A folder of paths with these names.
    Folder(BTreeSet<&'static str>),
}

/// What `components` lead to with `method`.
pub(super) fn find(method: &Method, components: &[String]) -> Option<Found> {
    let own = ROUTES.iter().find(|route| {
        route.method == *method && route.path.len() == components.len() && route.leads(components)
    });
    if let Some(route) = own {
        return Some(Found::Route(route, route.given(components)));
    }
    let below = ROUTES
        .iter()
        .filter(|route| route.path.len() > components.len() && route.leads(components));
    let names: BTreeSet<_> = below.map(|route| route.path[components.len()]).collect();
    let is_folder = *method == Method::GET && !names.is_empty();
    is_folder.then_some(Found::Folder(names))
}

impl Route {
    /// Whether it begins with these components.
    fn leads(&self, components: &[String]) -> bool {
        self.path.iter().zip(components).all(|(own, given)| variable(own).is_some() || own == given)
    }

    fn given(&self, components: &[String]) -> Given {
        let mut given = Given::default();
        for (own, value) in self.path.iter().zip(components) {
            if let Some(name) = variable(own) {
                given.put(name, value.clone());
            }
        }
        given
    }
}

fn variable(component: &'static str) -> Option<&'static str> {
    component.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(path: &str) -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn folders_list_what_they_hold() {
        let folder = |path: &str| match find(&Method::GET, &components(path)) {
            Some(Found::Folder(names)) => names.into_iter().collect::<Vec<_>>(),
            _ => panic!("{path} is no folder"),
        };
        assert_eq!(folder(""), ["access", "admin", "ping", "reader", "version"]);
        assert_eq!(folder("access"), ["ticket"]);
        assert_eq!(folder("admin"), ["datastore"]);
        assert!(folder("admin/datastore/store1").contains(&"snapshots"));
    }

    #[test]
    fn methods_and_lengths_count() {
        let is_there = |method, path: &str| find(&method, &components(path)).is_some();
        assert!(is_there(Method::POST, "access/ticket"));
        for (method, path) in [
            (Method::PUT, "admin/datastore/store1/groups"),
            (Method::POST, "reader"),
            (Method::POST, "access"),
            (Method::GET, "nosuchpath"),
            (Method::GET, "admin/datastore/store1/nosuch"),
            (Method::GET, "version/x"),
        ] {
            assert!(!is_there(method, path), "{path}");
        }
    }

    #[test]
    fn a_variable_becomes_a_parameter() {
        let Some(Found::Route(_, given)) =
            find(&Method::GET, &components("admin/datastore/store1/groups"))
        else {
            panic!("no such path");
        };
        let mut expected = Given::default();
        expected.put("store", "store1".into());
        assert_eq!(given, expected);
    }
}
