use super::*;

fn tree(text: &str) -> AclTree {
    parse(text).unwrap()
}

fn id(text: &str) -> AuthId {
    text.parse().unwrap()
}

fn names(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !name.is_empty()).collect()
}

/// The privileges of `who` on `path`, by name.
fn may(tree: &AclTree, who: &str, path: &str) -> Vec<&'static str> {
    tree.privileges(&id(who), names(path)).0.iter().map(|privilege| privilege.as_str()).collect()
}

#[test]
fn canonical_files_stay_as_they_are() {
    for text in [
        "",
        "acl:1:/:root@pam!test:Admin\n",
        "acl:1:/datastore/store1:user1@pbs:DatastoreAdmin\n",
        "acl:0:/:a@pbs:Audit\nacl:1:/:b@pbs:Audit\nacl:1:/datastore:a@pbs,b@pbs:Admin,Audit\n",
        "acl:1:/a:u@pbs:Audit\nacl:1:/a/b:u@pbs:Audit\nacl:1:/a-b:u@pbs:Audit\n",
        "acl:1:/storage:@group,u@pbs:NoAccess\n",
    ] {
        assert_eq!(tree(text).to_text(), text);
    }
}

#[test]
fn lines_are_merged_sorted_and_made_plain() {
    for (given, written) in [
        ("\n acl:1:/x/:b@pbs:Audit \nacl:1:x:a@pbs:Audit\n", "acl:1:/x:a@pbs,b@pbs:Audit\n"),
        (
            "acl:1:/x:b@pbs:TapeAudit,Audit\nacl:1:/x:a@pbs:Audit\n",
            "acl:1:/x:a@pbs,b@pbs:Audit\nacl:1:/x:b@pbs:TapeAudit\n",
        ),
        ("acl:1:/x:root@pam,b@pbs:Audit\n", "acl:1:/x:b@pbs:Audit\n"),
        ("acl:1:/x:b@pbs:Audit,NoAccess\n", "acl:1:/x:b@pbs:NoAccess\n"),
        ("acl:1:/x:b@pbs:NoAccess\nacl:0:/x:b@pbs:Audit\n", "acl:0:/x:b@pbs:Audit\n"),
        ("acl:1:/x:b@pbs:Audit\nacl:0:/x:b@pbs:Audit\n", "acl:0:/x:b@pbs:Audit\n"),
        (
            "acl:1:/b:u@pbs:Audit\nacl:1:/a:u@pbs:Audit\n",
            "acl:1:/a:u@pbs:Audit\nacl:1:/b:u@pbs:Audit\n",
        ),
    ] {
        assert_eq!(tree(given).to_text(), written, "from {given:?}");
    }
}

#[test]
fn bad_lines_are_named() {
    for bad in [
        "acl:1:/x:u@pbs",
        "acl:1:/x:u@pbs:Audit:",
        "acl:2:/x:u@pbs:Audit",
        "acl:1:/x:u@pbs:Auditor",
        "acl:1:/x:u@pbs:",
        "acl:1:/x::Audit",
        "acl:1:/x:@:Audit",
        "acl:1:/x:nobody:Audit",
        "usr:1:/x:u@pbs:Audit",
        "# a comment",
    ] {
        let error = parse(&format!("acl:1:/:u@pbs:Audit\n\n{bad}\n")).unwrap_err();
        assert_eq!(error.line, 3, "{bad}: {error}");
    }
}

#[test]
fn what_is_given_closest_counts() {
    const STORE: [&str; 6] = [
        "Datastore.Audit",
        "Datastore.Modify",
        "Datastore.Read",
        "Datastore.Verify",
        "Datastore.Backup",
        "Datastore.Prune",
    ];
    const AUDIT: [&str; 2] = ["Sys.Audit", "Datastore.Audit"];
    // What the file says, who asks, on which object, and what they may do.
    let table: &[(&str, &str, &str, &[&str])] = &[
        ("", "u@pbs", "/", &[]),
        ("acl:1:/:u@pbs:Audit", "u@pbs", "/", &AUDIT),
        ("acl:1:/:u@pbs:Audit", "u@pbs", "/datastore/s/n", &AUDIT),
        ("acl:0:/:u@pbs:Audit", "u@pbs", "/", &AUDIT),
        ("acl:0:/:u@pbs:Audit", "u@pbs", "/datastore", &[]),
        ("acl:1:/:u@pbs:Audit", "v@pbs", "/", &[]),
        ("acl:1:/:u@pbs:Audit", "u@pam", "/", &[]),
        ("acl:1:/:@u@pbs,@u:Audit", "u@pbs", "/", &[]),
        // The table of config.md §11.4.
        (CLOSER, "u@pbs", "/datastore/s1", &["Datastore.Backup"]),
        (CLOSER, "u@pbs", "/datastore/s1/ns1", &AUDIT),
        (CLOSER, "u@pbs", "/datastore/s2", &AUDIT),
        // A set that is closer replaces, and is not added.
        (
            "acl:1:/:u@pbs:DatastoreAdmin\nacl:1:/datastore:u@pbs:DatastoreBackup",
            "u@pbs",
            "/datastore/s",
            &["Datastore.Backup"],
        ),
        (
            "acl:1:/datastore:u@pbs:DatastoreAudit,DatastoreBackup",
            "u@pbs",
            "/datastore/s",
            &["Datastore.Audit", "Datastore.Backup"],
        ),
        // The whole way need not be there.
        ("acl:1:/datastore/s:u@pbs:DatastoreAdmin", "u@pbs", "/datastore/s/a/b", &STORE),
        ("acl:1:/datastore/s/a:u@pbs:DatastoreAdmin", "u@pbs", "/datastore/s", &[]),
        (
            "acl:1:/datastore/s/a/b:v@pbs:Audit\nacl:0:/datastore/s/a:u@pbs:Audit",
            "u@pbs",
            "/datastore/s/a/b",
            &[],
        ),
        ("acl:0:/datastore/s/a:u@pbs:Audit", "u@pbs", "/datastore/s/a/b", &[]),
        // NoAccess takes away.
        ("acl:1:/:u@pbs:Admin\nacl:1:/datastore/s:u@pbs:NoAccess", "u@pbs", "/datastore/s/a", &[]),
        ("acl:1:/:u@pbs:Audit\nacl:0:/datastore/s:u@pbs:NoAccess", "u@pbs", "/datastore/s", &[]),
        (
            "acl:1:/:u@pbs:Audit\nacl:0:/datastore/s:u@pbs:NoAccess",
            "u@pbs",
            "/datastore/s/a",
            &AUDIT,
        ),
        // Tokens may what both may.
        ("acl:1:/:u@pbs:Audit", "u@pbs!t", "/", &[]),
        ("acl:1:/:u@pbs!t:Audit", "u@pbs!t", "/", &[]),
        ("acl:1:/:u@pbs!t:Admin\nacl:1:/:u@pbs:Audit", "u@pbs!t", "/datastore/s", &AUDIT),
        (
            "acl:1:/:u@pbs:Admin\nacl:1:/datastore/s:u@pbs!t:DatastoreBackup",
            "u@pbs!t",
            "/datastore/s",
            &["Datastore.Backup"],
        ),
        ("acl:1:/:root@pam!t:Audit", "root@pam!t", "/", &AUDIT),
        ("", "root@pam!t", "/", &[]),
    ];
    for (text, who, path, expected) in table {
        assert_eq!(may(&tree(text), who, path), *expected, "{text:?} {who} {path}");
    }
    assert_eq!(may(&AclTree::default(), "root@pam", "/x").len(), 20);
    let denied = tree("acl:1:/:root@pam:NoAccess");
    assert_eq!(may(&denied, "root@pam", "/").len(), 20, "the superuser can't lock itself out");
}

const CLOSER: &str = "acl:1:/datastore:u@pbs:Audit\nacl:0:/datastore/s1:u@pbs:DatastoreBackup\n";

#[test]
fn what_reaches_down_is_told_apart() {
    let tree = tree("acl:0:/x:u@pbs:Audit\nacl:1:/x:u@pbs:TapeAudit\n");
    let (all, down) = tree.privileges(&id("u@pbs"), ["x"]);
    assert_eq!(all, Role::Audit.privileges().or(Role::TapeAudit.privileges()));
    assert_eq!(down, Role::TapeAudit.privileges());
}

#[test]
fn rights_further_down_are_found_from_above() {
    let tree = tree("acl:1:/datastore/s/a/b:u@pbs:DatastoreBackup\nacl:1:/tape:u@pbs:TapeAudit");
    let below = |path: &str| tree.privileges_below(&id("u@pbs"), names(path));
    assert_eq!(below("/datastore/s"), Role::DatastoreBackup.privileges());
    assert_eq!(below("/datastore/s/a/b/c"), Role::DatastoreBackup.privileges());
    assert_eq!(below("/datastore/other"), Privileges::NONE);
}

#[test]
fn giving_and_taking() {
    let mut acl = AclTree::default();
    let (path, user): (AclPath, _) = ("/datastore/s1".parse().unwrap(), id("u@pbs"));
    acl.grant(&path, &user, Role::Audit, true);
    acl.grant(&path, &user, Role::DatastoreBackup, false);
    assert_eq!(
        acl.to_text(),
        "acl:0:/datastore/s1:u@pbs:DatastoreBackup\nacl:1:/datastore/s1:u@pbs:Audit\n"
    );
    acl.revoke(&"/datastore".parse().unwrap(), &user, Role::Audit);
    acl.revoke(&path, &user, Role::Audit);
    assert_eq!(acl.grants().len(), 1);
    acl.grant(&path, &id("u@pbs!t"), Role::Audit, true);
    assert!(
        acl.revoke_all(&[user.clone(), id("u@pbs!t")])
            && !acl.revoke_all(std::slice::from_ref(&user))
    );
    assert_eq!(acl, AclTree::default());
    acl.grant(&"/datastore/s1/ns".parse().unwrap(), &user, Role::Audit, true);
    assert!(acl.remove_object(&path) && !acl.remove_object(&path));
    assert_eq!(acl.paths(), ["/"]);
}

#[test]
fn the_file_is_replaced_only_by_who_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = ConfigDir::new(folder.path());
    let file = AclFile::new(&dir);
    let give = |tree: &mut AclTree| {
        tree.grant(&AclPath::root(), &id("u@pbs"), Role::Audit, true);
        Ok(true)
    };
    file.update(Some(&ConfigDigest::of(b"")), give).unwrap();
    assert_eq!(std::fs::read_to_string(dir.file(FILE)).unwrap(), "acl:1:/:u@pbs:Audit\n");
    let stale = file.update(Some(&ConfigDigest::of(b"")), |_| Ok(true)).unwrap_err();
    assert!(matches!(stale, ConfigError::Stale { .. }));
    std::fs::write(dir.file(FILE), "acl:1:/:u@pbs:Nonsense\n").unwrap();
    assert!(file.update(None, give).unwrap_err().to_string().contains("line 1"));
}
