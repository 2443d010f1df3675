use std::fs;

use reel_types::ManualClock;

use super::*;

/// Somebody who runs no daemon in any test.
const STRANGER: u32 = 4_294_000_001;

fn rights(users: &str, acl: &str) -> (tempfile::TempDir, Rights) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("user.cfg"), users).unwrap();
    fs::write(folder.path().join("acl.cfg"), acl).unwrap();
    let rights = Rights::new(ConfigDir::new(folder.path()), Arc::new(ManualClock::at(1000)));
    (folder, rights)
}

fn id(text: &str) -> AuthId {
    text.parse().unwrap()
}

const USERS: &str = "user: u@pbs\n\ntoken: u@pbs!tok\n\ntoken: u@pbs!old\n\texpire 900\n\n\
                     user: off@pbs\n\tenable false\n\ntoken: off@pbs!tok\n\nuser: daemon@pam\n";

#[test]
fn tokens_count_with_their_users() {
    let (_folder, rights) = rights(USERS, "");
    for (who, active) in [
        ("u@pbs", true),
        ("u@pbs!tok", true),
        ("u@pbs!old", false),
        ("u@pbs!none", false),
        ("off@pbs", false),
        ("off@pbs!tok", false),
        ("nobody@pbs", false),
        ("root@pam", true),
    ] {
        assert_eq!(rights.is_active(&id(who)), active, "{who}");
    }
}

#[test]
fn processes_are_known_by_their_user() {
    let (_folder, rights) = rights(USERS, "");
    assert_eq!(rights.identify(0).unwrap(), AuthId::root());
    assert_eq!(rights.identify(nix::unistd::geteuid().as_raw()).unwrap(), AuthId::root());
    let nobody = rights.identify(STRANGER).unwrap_err();
    assert_eq!(nobody.errno, libc::EACCES);
    assert!(nobody.message.contains("no user 4294000001"), "{nobody}");
    let Ok(Some(daemon)) = User::from_name("daemon") else { return };
    if daemon.uid.as_raw() != nix::unistd::geteuid().as_raw() {
        assert_eq!(rights.identify(daemon.uid.as_raw()).unwrap(), id("daemon@pam"));
    }
    let Ok(Some(bin)) = User::from_name("bin") else { return };
    let error = rights.identify(bin.uid.as_raw()).unwrap_err();
    assert!(error.message.contains("'reelctl user create bin@pam'"), "{error}");
}

#[test]
fn passwords_and_secrets() {
    let (folder, rights) = rights(USERS, "");
    let dir = ConfigDir::new(folder.path());
    let user = |text: &str| text.parse::<UserId>().unwrap();
    for name in ["u@pbs", "off@pbs"] {
        UserPasswords::new(&dir).set(&user(name), &"geheim".parse().unwrap()).unwrap();
    }
    TokenSecrets::new(&dir).set(&id("u@pbs!tok"), &"secret".parse().unwrap()).unwrap();
    assert!(rights.login(&user("u@pbs"), "geheim"));
    assert!(!rights.login(&user("u@pbs"), "secret"));
    assert!(!rights.login(&user("off@pbs"), "geheim"), "disabled");
    assert!(!rights.login(&user("u@pam"), "geheim"), "another realm");
    assert!(rights.token(&id("u@pbs!tok"), "secret"));
    assert!(!rights.token(&id("u@pbs!tok"), "geheim"));
    assert!(!rights.token(&id("u@pbs"), "geheim"), "a user is no token");
}

#[test]
fn what_changes_in_the_files_counts_at_once() {
    let (folder, rights) = rights(USERS, "acl:1:/datastore:u@pbs:DatastoreReader\n");
    let path = "/datastore/s1".parse().unwrap();
    let may = |who: &str| rights.require(&id(who), &path, &[Privilege::DatastoreRead]);
    assert!(may("u@pbs").is_ok());
    fs::write(folder.path().join("acl.cfg"), "acl:1:/datastore:u@pbs:DatastoreAudit\n").unwrap();
    let error = may("u@pbs").unwrap_err();
    assert_eq!(error.errno, libc::EACCES);
    assert!(error.message.contains("needs Datastore.Read on '/datastore/s1'"), "{error}");
    fs::write(folder.path().join("acl.cfg"), "nonsense\n").unwrap();
    assert!(may("u@pbs").unwrap_err().message.contains("line 1"));
    assert!(may("root@pam").is_ok());
    assert!(!rights.allows(&id("u@pbs"), "/datastore/s1", Privilege::DatastoreAudit));
}

#[test]
fn who_does_not_count_may_nothing() {
    let (_folder, rights) = rights(USERS, "acl:1:/:off@pbs,gone@pbs,u@pbs:Admin\n");
    for (who, allowed) in [("u@pbs", true), ("off@pbs", false), ("gone@pbs", false)] {
        assert_eq!(rights.allows(&id(who), "/", Privilege::SysAudit), allowed, "{who}");
        assert_eq!(rights.has_any(&id(who), &AclPath::root(), &[Privilege::SysAudit]), allowed);
    }
}
