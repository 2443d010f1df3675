//! The vectors of `config.md` §11.1–3 and the rows of §12 about section files.

use proptest::prelude::*;
use reel_types::{Comment, ParseError, StoreName};

use super::*;

fn any_id(_: &str) -> Result<(), ParseError> {
    Ok(())
}

fn nothing_more(_: &Section) -> Result<(), ParseError> {
    Ok(())
}

const STRICT: Schema = Schema {
    types: &[
        SectionType {
            name: "store",
            check_id: |id| id.parse::<StoreName>().map(drop),
            keys: &[
                Key::required("path", ValueKind::Text(any_id)),
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::optional("verify", ValueKind::Bool),
                Key::optional("keep", ValueKind::Integer { min: 1, max: 100 }),
                Key { name: "filter", value: ValueKind::Text(any_id), need: Need::Repeated },
            ],
            check: nothing_more,
        },
        SectionType { name: "empty", check_id: any_id, keys: &[], check: nothing_more },
    ],
    aliases: &[],
    unknown_types: Unknown::Refuse,
    unknown_keys: Unknown::Refuse,
};

const LENIENT: Schema =
    Schema { unknown_types: Unknown::Keep, unknown_keys: Unknown::Keep, ..STRICT };

/// Knows types but no keys, as a file of another program.
const KEYLESS: Schema = Schema {
    types: &[
        SectionType { name: "remote", check_id: any_id, keys: &[], check: nothing_more },
        SectionType { name: "sync", check_id: any_id, keys: &[], check: nothing_more },
    ],
    aliases: &[],
    unknown_types: Unknown::Refuse,
    unknown_keys: Unknown::Keep,
};

fn refused(text: &str, schema: &Schema) -> SyntaxError {
    Document::parse(text, schema).unwrap_err()
}

fn rewritten(text: &str, schema: &Schema) -> String {
    Document::parse(text, schema).unwrap().to_text(schema).unwrap()
}

const REMOTE: &str = "remote: pbs2\n\tauth-id sync@pam\n\tfingerprint 64:d3:ff:3a:50:38:53:5a:9b:f7:50:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:ab:fe\n\thost pbs2.example\n\tpassword U0VDUkVU\n";
const SYNC: &str = "sync: pbs2-local\n\tcomment offsite\n\tgroup-filter type:ct\n\tgroup-filter exclude:regex:^ct/9\n\towner root@pam\n\trate-in 20 MiB\n\tremote pbs2\n\tremote-store local\n\tremove-vanished true\n\tschedule Wed 02:30\n\tstore local\n";

#[test]
fn canonical_files_stay_as_they_are() {
    use crate::ConfigDigest;
    assert_eq!(rewritten(REMOTE, &KEYLESS), REMOTE);
    assert_eq!(rewritten(SYNC, &KEYLESS), SYNC);
    assert_eq!(
        ConfigDigest::of(REMOTE.as_bytes()).to_string(),
        "546846fb8285e22f071a271ffe83bef7cad255ff53c6d4b51a973c152ac73781"
    );
    assert_eq!(
        ConfigDigest::of(SYNC.as_bytes()).to_string(),
        "5b7f3de1abce1f27ca3826a7a3f1f06ee8171b66e371c1bce920bbcc155162c4"
    );
    assert_eq!(rewritten("", &STRICT), "");
}

#[test]
fn lenient_input() {
    let text = "\n\nstore :abc\n  verify YES\n\tkeep +7\n   path\t/srv/x  \n\n\n \nempty:  b b ";
    let canonical = "store: abc\n\tkeep 7\n\tpath /srv/x\n\tverify true\n\nempty: b b\n";
    assert_eq!(rewritten(text, &STRICT), canonical);
    assert_eq!(rewritten(&text.replace('\n', "\r\n"), &STRICT), canonical);
}

#[test]
fn arrays_keep_their_order_and_empty_values_their_blank() {
    let text = "store: abc\n\tcomment \n\tfilter z\n\tfilter a\n\tpath /x\n";
    assert_eq!(rewritten(text, &STRICT), text);
    assert_eq!(refused(&text.replace("comment ", "comment"), &STRICT).line, 2);
}

#[test]
fn the_later_section_of_an_id_wins() {
    let document =
        Document::parse("empty: xy1\n\nempty: y\n\nstore: xy1\n\tpath /a\n", &STRICT).unwrap();
    assert_eq!(document.sections().len(), 2);
    assert_eq!(document.get("xy1").unwrap().kind(), "store");
}

#[test]
fn what_refuses_a_file() {
    let rows = [
        ("# comment\n", 1, "header"),
        ("store: abc\n\tpath /x\n# comment\n", 3, "expected section properties"),
        ("store: abc\n\t# comment\n\tpath /x\n", 2, "unknown key '#'"),
        ("empty: a\nempty: b\n", 2, "expected section properties"),
        ("store: abc\npath /x\n", 2, "expected section properties"),
        ("store: abc\n\tpath\n", 2, "white space"),
        ("\tpath /x\n", 1, "header"),
        ("empty\n", 1, "header"),
        ("disk: abc\n\tpath /x\n", 1, "unknown section type 'disk'"),
        ("\nstore: abc\n\tpath /x\n\tcolour red\n", 4, "unknown key 'colour'"),
        ("store: abc\n\tpath /x\n\tpath /y\n", 3, "'path' stands twice"),
        ("empty: a\n\nstore: abc\n\tcomment x\n\nempty: b\n", 3, "lacks the key 'path'"),
        ("store: ab\n\tpath /x\n", 1, "3 to 32"),
        ("store:\n\tpath /x\n", 1, "datastore name"),
        ("store: abc\n\tpath /x\n\tverify maybe\n", 3, "boolean"),
        ("store: abc\n\tpath /x\n\tkeep 0\n", 3, "1 to 100"),
        ("store: abc\n\tpath /x\n\tkeep 1.5\n", 3, "1 to 100"),
        ("store: abc\n\tpath /x\n\tcomment a\tb\n", 3, "control"),
    ];
    for (text, line, reason) in rows {
        let error = refused(text, &STRICT);
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.reason.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn what_is_not_known_is_kept_as_it_stands() {
    let text = "linux :  old\n  path   /dev/nst0\n\tflag \n\tflag x\n\nstore: abc\n\tnewer b\n\tnewer a\n\tpath /x\n\tzeta 1\n";
    let mut document = Document::parse(text, &LENIENT).unwrap();
    assert_eq!(document.to_text(&LENIENT).unwrap(), text);
    assert!(document.get("old").unwrap().is_foreign());
    assert_eq!(document.get("old").unwrap().get("path"), Some("/dev/nst0"));
    document.get_mut("abc").unwrap().set("comment", ["new"]);
    let changed = text.replace("\tnewer b", "\tcomment new\n\tnewer b");
    assert_eq!(document.to_text(&LENIENT).unwrap(), changed);
    assert_eq!(refused("linux:\n\tpath /x\n", &LENIENT).line, 1);
    assert_eq!(refused("linux: a\n\tpath\n", &LENIENT).line, 2);
}

#[test]
fn nothing_is_written_that_could_not_be_read() {
    let broken: [fn(&mut Section); 8] = [
        |section| section.set("comment", ["two\nlines"]),
        |section| section.set("path", ["bell\u{7}"]),
        |section| section.set("path", [" blank"]),
        |section| section.set("colour", ["red"]),
        |section| section.set("a key", ["x"]),
        |section| section.set("path", ["/x", "/y"]),
        |section| section.unset("path"),
        |section| section.id = "a b\n".into(),
    ];
    for change in broken {
        let mut document = Document::parse("store: abc\n\tpath /x\n", &STRICT).unwrap();
        change(document.get_mut("abc").unwrap());
        assert!(document.to_text(&STRICT).is_err(), "{document:?}");
    }
    let mut document = Document::default();
    document.insert(Section::new("disk", "abc"));
    assert!(document.to_text(&LENIENT).is_err());
}

fn section() -> impl Strategy<Value = Section> {
    let value = "[!-~ä]([ -~ä]{0,20}[!-~ä])?";
    let known = ("[A-Za-z0-9_][A-Za-z0-9._-]{2,31}", value, any::<Option<bool>>()).prop_flat_map(
        move |(id, path, verify)| {
            prop::collection::vec(value, 0..4).prop_map(move |filters| {
                let mut section = Section::new("store", &id);
                section.set("filter", filters);
                section.set("path", [path.as_str()]);
                section.set("verify", verify.map(|verify| verify.to_string()));
                section
            })
        },
    );
    let empty = "[a-z]{1,8}( [a-z]{1,3})?".prop_map(|id| Section::new("empty", &id));
    prop_oneof![known, empty]
}

proptest! {
    #[test]
    fn written_and_read_again(sections in prop::collection::vec(section(), 0..6)) {
        let mut document = Document::default();
        for section in sections {
            document.insert(section);
        }
        let text = document.to_text(&STRICT).unwrap();
        let read = Document::parse(&text, &STRICT).unwrap();
        prop_assert_eq!(read.to_text(&STRICT).unwrap(), text);
        prop_assert_eq!(read, document);
    }

    #[test]
    fn any_text(text: String) {
        crate::fuzz::section_file(text.as_bytes());
    }
}
