use serde_json::{Map, Value, json};

use super::*;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn made(name: &str, params: Value) -> Command {
    Command::from_params(name, &object(params)).unwrap()
}

fn refused(name: &str, params: Value) -> String {
    Command::from_params(name, &object(params)).unwrap_err().to_string()
}

#[test]
fn an_object_becomes_typed_fields_and_back() {
    let params = json!({
        "store": "store1", "group": "vm/100", "files": ["disk.img=/a", "vm.conf=/b"], "ns": "a/b",
    });
    let command = made("snapshot create", params.clone());
    let Command::SnapshotCreate(create) = &command else { panic!("{command:?}") };
    assert_eq!(create.files.as_slice()[0].archive.as_str(), "disk.img.fidx");
    assert_eq!(create.files.as_slice()[1].archive.as_str(), "vm.conf.blob");
    assert_eq!(Value::Object(command.params()), params);
}

#[test]
fn defaults_fill_what_is_absent() {
    let Command::MediaList(list) = made("media list", json!({})) else { panic!() };
    assert!(list.update_status && list.pool.is_none());
    let Command::TaskList(list) = made("task list", json!({"limit": null})) else { panic!() };
    assert_eq!((list.limit.get(), list.all), (50, false));
}

#[test]
fn all_wrong_parameters_are_told_at_once() {
    assert_eq!(
        refused("snapshot create", json!({"store": "s", "group": "vm/100", "bogus": 1})),
        "parameter verification failed:\n\
         - 'bogus': schema does not allow additional properties.\n\
         - 'files': parameter is missing and it is not optional.\n\
         - 'store': must be 3 to 32 characters long"
    );
    assert_eq!(
        refused("task list", json!({"limit": 0})),
        "parameter verification failed - 'limit': value must be from 1 to 1000"
    );
}

#[test]
fn other_spellings_are_the_same_parameter() {
    let Command::Label(label) = made("label", json!({"changer-id": "A00001L8"})) else { panic!() };
    assert_eq!(label.label_text.as_str(), "A00001L8");
    let twice = json!({"changer-id": "A00001L8", "label-text": "A00001L8"});
    assert!(refused("label", twice).ends_with("- 'label-text': duplicate parameter"));
    assert_eq!(made("erase", json!({})), made("format", json!({"fast": true})));
}

#[test]
fn commands_are_found_by_all_their_words_only() {
    for name in ["", "media", "media lis", "media list x", "Media list"] {
        assert_eq!(
            Command::from_params(name, &Map::new()),
            Err(CommandError::Unknown(name.into())),
            "{name}"
        );
    }
}

#[test]
fn definitions_are_sound() {
    let mut spellings: Vec<_> = COMMANDS.iter().flat_map(|info| info.spellings()).collect();
    spellings.sort();
    assert!(spellings.windows(2).all(|pair| pair[0] != pair[1]), "two commands of one name");
    for info in COMMANDS {
        let mut names: Vec<_> = info
            .params
            .iter()
            .flat_map(|p| [p.name].into_iter().chain(p.aliases.iter().copied()))
            .collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", info.name());
        let arguments: Vec<_> = info.arguments().collect();
        let last = arguments.len().saturating_sub(1);
        assert!(arguments.iter().take(last).all(|p| !p.many), "{}: list not last", info.name());
        assert!(
            arguments.windows(2).all(|pair| pair[0].required || !pair[1].required),
            "{}: required argument behind an optional one",
            info.name()
        );
    }
}
