use serde_json::json;

use super::super::*;
use super::*;

fn verbs(place: Place) -> Vec<Verb> {
    place.verbs()
}

fn datastore() -> Vec<Verb> {
    verbs(Place::Datastore("store1".parse().unwrap()))
}

fn medium() -> Vec<Verb> {
    let id = "9da37a55-aac7-4deb-91c6-482b3b675f30".parse().unwrap();
    verbs(Place::Medium("TEST01L8".parse().unwrap(), id))
}

fn snapshot() -> Vec<Verb> {
    let snapshot = "vm/100/2021-01-11T10:43:48Z".parse().unwrap();
    verbs(Place::Snapshot("store1".parse().unwrap(), "a/b".parse().unwrap(), snapshot))
}

fn taken(verbs: &[Verb], line: &str) -> (String, Value) {
    let made = parse_ctl_line(verbs, line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (made.command.info().name(), Value::Object(made.command.params()))
}

fn refused(verbs: &[Verb], line: &str) -> CtlError {
    parse_ctl_line(verbs, line).unwrap_err()
}

#[test]
fn the_place_fills_in_what_it_is() {
    let (name, params) = taken(&datastore(), "backup daily latest-only=yes");
    assert_eq!(name, "backup");
    assert_eq!((&params["store"], &params["pool"]), (&json!("store1"), &json!("daily")));
    assert_eq!(params["latest-only"], true);
    let (name, params) = taken(&snapshot(), "protect");
    assert_eq!(name, "snapshot protected update");
    assert_eq!(
        params,
        json!({"store": "store1", "ns": "a/b", "snapshot": "vm/100/2021-01-11T10:43:48Z",
            "protected": true})
    );
}

#[test]
fn what_the_place_is_cannot_be_given_again() {
    for line in ["backup daily store=store2", "backup daily --store store2"] {
        let error = refused(&datastore(), line);
        assert!(error.to_string().contains("'store': duplicate parameter"), "{line}: {error}");
    }
}

#[test]
fn verbs_of_two_words_and_arguments_by_name() {
    let (name, params) = taken(&datastore(), "client-key add key-file=/root/k");
    assert_eq!(name, "client-key add");
    assert_eq!(params, json!({"store": "store1", "key-file": "/root/k"}));
    let (_, params) = taken(&verbs(Place::Datastores), "create store2 path=/srv/2 comment='a b'");
    assert_eq!(params["path"], "/srv/2");
    assert_eq!(params["comment"], "a b");
}

#[test]
fn words_with_an_equals_sign_may_be_arguments() {
    let (_, params) = taken(&datastore(), "snapshot create vm/1 disk.img=/a ns=x conf=/b");
    assert_eq!(params["files"], json!(["disk.img=/a", "conf=/b"]));
    assert_eq!(params["ns"], "x");
    let set = "abcbc951-68b8-4596-9658-00823cb5cc8a".parse().unwrap();
    let (_, params) = taken(&verbs(Place::MediaSet(set)), "restore store1=copy1");
    assert_eq!(params["store"], "store1=copy1");
    let error = refused(&datastore(), "backup daily bogus=1");
    assert!(error.to_string().contains("'bogus': schema does not allow"), "{error}");
}

#[test]
fn danger_repeats_the_name() {
    let (name, params) = taken(&medium(), "format TEST01L8");
    assert_eq!((name.as_str(), &params["label-text"]), ("format", &json!("TEST01L8")));
    for line in ["format", "format TEST02L8", "format fast=false", "destroy"] {
        let error = refused(&medium(), line);
        assert!(matches!(error, CtlError::NotConfirmed { .. }), "{line}: {error}");
        assert_eq!(error.errno(), 1);
    }
    let (_, params) = taken(&medium(), "format fast=false TEST01L8");
    assert_eq!(params["fast"], false);
    assert_eq!(taken(&snapshot(), "forget 2021-01-11T10:43:48Z").0, "snapshot forget");
    let (name, params) = taken(&medium(), "retire");
    assert_eq!((name.as_str(), &params["status"]), ("media mark", &json!("retired")));
    let (name, params) = taken(&medium(), "move vault=office");
    assert_eq!((name.as_str(), &params["vault-name"]), ("media move", &json!("office")));
    let (_, params) = taken(&medium(), "destroy TEST01L8 force=1");
    assert_eq!(params, json!({"uuid": "9da37a55-aac7-4deb-91c6-482b3b675f30", "force": true}));
}

#[test]
fn a_token_goes_with_any_command() {
    let made = parse_ctl_line(&datastore(), "backup daily id=abc").unwrap();
    assert_eq!(made.token.as_deref(), Some("abc"));
    assert_eq!(parse_ctl_line(&datastore(), "backup daily").unwrap().token, None);
}

#[test]
fn what_is_refused_and_how() {
    assert_eq!(refused(&datastore(), " \t"), CtlError::Empty);
    assert_eq!(refused(&datastore(), "backup 'daily"), CtlError::Unclosed);
    assert_eq!(refused(&datastore(), "backup daily\\"), CtlError::Unclosed);
    let error = refused(&datastore(), "frobnicate");
    assert_eq!(
        error.to_string(),
        "no verb 'frobnicate' here; there are: backup, pull, update, snapshot create, client-key add, \
         client-key remove"
    );
    assert_eq!(error.errno(), 22);
    assert!(matches!(refused(&datastore(), "backup a1 b1"), CtlError::ExtraWords { .. }));
    assert_eq!(
        refused(&datastore(), "backup").to_string(),
        "backup: parameter verification failed - 'pool': parameter is missing and it is not optional."
    );
    assert!(matches!(refused(&datastore(), "backu daily"), CtlError::UnknownVerb { .. }));
}

#[test]
fn quotes_are_the_shells() {
    let texts = |line: &str| -> Vec<String> {
        split_words(line).unwrap().into_iter().map(|word| word.text).collect()
    };
    assert_eq!(texts(r#"a 'b c' "d \" e" f\ g h'i'"j""#), ["a", "b c", "d \" e", "f g", "hij"]);
    assert_eq!(texts(r"'a\b' '' x"), [r"a\b", "", "x"]);
    let words = split_words("'a=b' c=d=e").unwrap();
    assert_eq!(words[0].key(), None);
    assert_eq!((words[1].key(), words[1].value()), (Some("c"), Some("d=e")));
}

#[test]
fn the_grammar_shows_what_may_be_written() {
    let text = ctl_grammar(&medium());
    assert!(
        text.contains("format TEST01L8 [drive=<string>] [fast=<boolean>]\n    Format the medium")
    );
    assert!(text.starts_with("load-media [drive=<string>]\n    Load a medium by its label.\n"));
    let text = ctl_grammar(&verbs(Place::Drives));
    let first = "create <name> path=<path> [changer=<string>] [changer-drivenum=<integer> (0 - 255)] \
                 [max-size=<string>]\n";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn verbs_bind_only_parameters_that_their_command_has() {
    let store: crate::StoreName = "store1".parse().unwrap();
    let set: crate::MediaSetId = "abcbc951-68b8-4596-9658-00823cb5cc8a".parse().unwrap();
    let upid = "UPID:n:00000001:00000002:00000003:5CA78B83:t::root@pam:".parse().unwrap();
    let places = [
        Place::Root,
        Place::Datastores,
        Place::Datastore(store.clone()),
        Place::Group(store.clone(), "".parse().unwrap(), "vm/1".parse().unwrap()),
        Place::Pools,
        Place::Pool("daily".parse().unwrap()),
        Place::Media,
        Place::MediaSet(set),
        Place::SetSnapshot(set, store, "vm/1/2021-01-11T10:43:48Z".parse().unwrap()),
        Place::Changers,
        Place::Changer("sl3".parse().unwrap()),
        Place::Drives,
        Place::Drive("vt0".parse().unwrap()),
        Place::BackupJobs,
        Place::BackupJob("nightly".parse().unwrap()),
        Place::Task(upid),
    ];
    let all = places.into_iter().flat_map(verbs).chain(medium()).chain(snapshot());
    for verb in all {
        for name in verb.bound.keys() {
            assert!(verb.info.param(name).is_some(), "{:?} binds {name}", verb.words);
        }
        let made = Command::from_params(&verb.info.name(), &verb.bound);
        if let Err(CommandError::Params(errors)) = made {
            assert!(
                errors.iter().all(|(_, reason)| reason == ParamErrors::MISSING),
                "{:?}: {errors}",
                verb.words
            );
        }
    }
}

#[test]
fn a_line_is_kept_without_its_secrets() {
    for (line, kept) in [
        ("create a password-file=/x", "create a password-file=/x"),
        ("create hint=x passphrase=secret", "create hint=x passphrase=(hidden)"),
        ("create --passphrase=secret hint=x", "create --passphrase=(hidden)"),
        ("create hint='x y' --passphrase secret", "create hint='x y' --passphrase (hidden)"),
        ("create -password secret", "create -password (hidden)"),
        ("create password secret", "create password (hidden)"),
        ("restore key='{\"kdf\": \"secret\"}'", "restore key=(hidden)"),
        ("restore key='{", "restore key=(hidden)"),
        ("restore 'key'=\"secret", "restore key=(hidden)"),
        ("ändern new-passphrase='se cret' passphrase=c\\", "ändern new-passphrase=(hidden)"),
        ("change-passphrase --force", "change-passphrase --force"),
    ] {
        assert_eq!(without_secrets(line), kept, "{line}");
    }
}

#[test]
fn what_is_too_much_may_be_the_rest_of_a_secret() {
    let error = refused(&verbs(Place::Keys), "create hint=x passphrase=correct horse").to_string();
    assert!(error.contains("got additional arguments") && !error.contains("horse"), "{error}");
}
