//! The commands of PBS's programs, with each option that the specification has (`cli-tape.md` §§3–12, 14;
//! `cli-manager.md` §3): which command of ours they are, with which parameters.

use reel_types::commands::Program;

use super::*;

const KEY: &str = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";
const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const TASK: &str = "UPID:host:00000001:00000001:00000001:660A1B2C:backup:store1:root@pam:";

/// A line of a program, the command that it is, its parameters.
type Row = (&'static str, &'static str, &'static str);

const TAPE: &[Row] = &[
    (
        "barcode-label --pool daily --drive lto",
        "barcode-label",
        r#"{"pool":"daily","drive":"lto"}"#,
    ),
    ("cartridge-memory --drive lto", "cartridge-memory", r#"{"drive":"lto"}"#),
    ("clean --drive lto", "clean", r#"{"drive":"lto"}"#),
    ("eject --drive lto", "eject", r#"{"drive":"lto"}"#),
    ("eod --drive lto", "eod", r#"{"drive":"lto"}"#),
    ("erase --drive lto --fast false", "format", r#"{"drive":"lto","fast":false}"#),
    ("export-media T1 --drive lto", "export-media", r#"{"label-text":"T1","drive":"lto"}"#),
    ("format --drive lto --fast true", "format", r#"{"drive":"lto","fast":true}"#),
    (
        "inventory --drive lto --read-labels --read-all-labels --catalog",
        "inventory",
        r#"{"drive":"lto","read-labels":true,"read-all-labels":true,"catalog":true}"#,
    ),
    (
        "label --label-text T1 --pool daily --drive lto",
        "label",
        r#"{"label-text":"T1","pool":"daily","drive":"lto"}"#,
    ),
    ("label --changer-id T1", "label", r#"{"label-text":"T1"}"#),
    ("load-media T1 --drive lto", "load-media", r#"{"label-text":"T1","drive":"lto"}"#),
    (
        "load-media-from-slot 3 --drive lto",
        "load-media-from-slot",
        r#"{"source-slot":3,"drive":"lto"}"#,
    ),
    ("read-label --inventorize --drive lto", "read-label", r#"{"inventorize":true,"drive":"lto"}"#),
    ("rewind --drive lto", "rewind", r#"{"drive":"lto"}"#),
    ("scan --drive lto", "scan", r#"{"drive":"lto"}"#),
    ("status --drive lto", "drive status", r#"{"drive":"lto"}"#),
    ("unload --target-slot 4 --drive lto", "unload", r#"{"target-slot":4,"drive":"lto"}"#),
    ("volume-statistics --drive lto", "volume-statistics", r#"{"drive":"lto"}"#),
    (
        "backup s1x daily --drive lto --eject-media --export-media-set --latest-only --notify-user a@pbs --groups type:vm \
         --groups exclude:group:vm/9 --ns a/b --max-depth 0 --force-media-set",
        "backup",
        r#"{"store":"s1x","pool":"daily","drive":"lto","eject-media":true,"export-media-set":true,"latest-only":true,
            "notify-user":"a@pbs","groups":["type:vm","exclude:group:vm/9"],"ns":"a/b","max-depth":0,
            "force-media-set":true}"#,
    ),
    (
        "backup s1x daily --export-media",
        "backup",
        r#"{"store":"s1x","pool":"daily","export-media-set":true}"#,
    ),
    (
        "backup s1x daily --group-filter regex:x=y",
        "backup",
        r#"{"store":"s1x","pool":"daily","groups":["regex:x=y"]}"#,
    ),
    (
        "restore abcbc951-68b8-4596-9658-00823cb5cc8a a1x=b1x,c1x a1x:ns/n1/vm/1/2024-06-05T08:00:00Z \
         c1x:ct/2/2024-06-05T08:00:00Z --namespaces store=a1x,source=n1,target=n2,max-depth=1 --namespaces store=c1x \
         --drive lto --notify-user a@pbs --owner b@pbs!tok",
        "restore",
        r#"{"media-set":"abcbc951-68b8-4596-9658-00823cb5cc8a","store":"a1x=b1x,c1x",
            "snapshots":["a1x:ns/n1/vm/1/2024-06-05T08:00:00Z","c1x:ct/2/2024-06-05T08:00:00Z"],
            "namespaces":["store=a1x,source=n1,target=n2,max-depth=1","store=c1x"],
            "drive":"lto","notify-user":"a@pbs","owner":"b@pbs!tok"}"#,
    ),
    (
        "catalog --drive lto --force --scan --verbose",
        "catalog",
        r#"{"drive":"lto","force":true,"scan":true,"verbose":true}"#,
    ),
    ("changer scan", "changer scan", "{}"),
    ("changer list", "changer list", "{}"),
    ("changer config sl3", "changer config", r#"{"name":"sl3"}"#),
    (
        "changer create sl3 --path /dev/sg1 --export-slots 1,2 --eject-before-unload",
        "changer create",
        r#"{"name":"sl3","path":"/dev/sg1","export-slots":"1,2","eject-before-unload":true}"#,
    ),
    (
        "changer update sl3 --path /dev/sg1 --export-slots 15,16 --eject-before-unload false --delete export-slots \
         --delete eject-before-unload --digest DIGEST",
        "changer update",
        r#"{"name":"sl3","path":"/dev/sg1","export-slots":"15,16","eject-before-unload":false,
            "delete":["export-slots","eject-before-unload"],"digest":"DIGEST"}"#,
    ),
    ("changer remove sl3", "changer remove", r#"{"name":"sl3"}"#),
    ("changer status sl3 --cache false", "changer status", r#"{"name":"sl3","cache":false}"#),
    (
        "changer transfer sl3 --from 1 --to 2",
        "changer transfer",
        r#"{"name":"sl3","from":1,"to":2}"#,
    ),
    ("drive scan", "drive scan", "{}"),
    ("drive list", "drive list", "{}"),
    ("drive config lto", "drive config", r#"{"name":"lto"}"#),
    (
        "drive create lto --path /dev/sg2 --changer sl3 --changer-drivenum 1",
        "drive create",
        r#"{"name":"lto","path":"/dev/sg2","changer":"sl3","changer-drivenum":1}"#,
    ),
    (
        "drive update lto --path /dev/sg2 --changer sl3 --changer-drivenum 255 --delete changer --delete \
         changer-drivenum --digest DIGEST",
        "drive update",
        r#"{"name":"lto","path":"/dev/sg2","changer":"sl3","changer-drivenum":255,
            "delete":["changer","changer-drivenum"],"digest":"DIGEST"}"#,
    ),
    ("drive remove lto", "drive remove", r#"{"name":"lto"}"#),
    ("pool list", "pool list", "{}"),
    ("pool config daily", "pool config", r#"{"name":"daily"}"#),
    (
        "pool create daily --allocation continue --comment x --encrypt KEY --retention keep --template %Y",
        "pool create",
        r#"{"name":"daily","allocation":"continue","comment":"x","encrypt":"KEY","retention":"keep","template":"%Y"}"#,
    ),
    ("pool create daily --drive lto", "pool create", r#"{"name":"daily"}"#),
    (
        "pool update daily --allocation always --comment x --encrypt KEY --retention overwrite --template %Y --delete \
         allocation --delete retention --delete template --delete encrypt --delete comment",
        "pool update",
        r#"{"name":"daily","allocation":"always","comment":"x","encrypt":"KEY","retention":"overwrite","template":"%Y",
            "delete":["allocation","retention","template","encrypt","comment"]}"#,
    ),
    ("pool remove daily", "pool remove", r#"{"name":"daily"}"#),
    (
        "media list --pool daily --update-status false --update-status-changer sl3",
        "media list",
        r#"{"pool":"daily","update-status":false,"update-status-changer":"sl3"}"#,
    ),
    (
        "media content --pool daily --label-text T1 --media abcbc951-68b8-4596-9658-00823cb5cc8a --media-set \
         abcbc951-68b8-4596-9658-00823cb5cc8b --backup-type vm --backup-id 100",
        "media content",
        r#"{"pool":"daily","label-text":"T1","media":"abcbc951-68b8-4596-9658-00823cb5cc8a",
            "media-set":"abcbc951-68b8-4596-9658-00823cb5cc8b","backup-type":"vm","backup-id":"100"}"#,
    ),
    ("media destroy T1 --force", "media destroy", r#"{"label-text":"T1","force":true}"#),
    (
        "media destroy --uuid abcbc951-68b8-4596-9658-00823cb5cc8a",
        "media destroy",
        r#"{"uuid":"abcbc951-68b8-4596-9658-00823cb5cc8a"}"#,
    ),
    ("key create --hint x --kdf scrypt", "key create", r#"{"hint":"x","kdf":"scrypt"}"#),
    ("key create --hint x --kdf pbkdf2", "key create", r#"{"hint":"x","kdf":"pbkdf2"}"#),
    ("key list", "key list", "{}"),
    ("key show KEY", "key show", r#"{"fingerprint":"KEY"}"#),
    (
        "key change-passphrase KEY --hint x --kdf scrypt --force",
        "key change-passphrase",
        r#"{"fingerprint":"KEY","hint":"x","kdf":"scrypt","force":true}"#,
    ),
    ("key change-passphrase KEY", "key change-passphrase", r#"{"fingerprint":"KEY"}"#),
    ("key paperkey KEY --subject x", "key paperkey", r#"{"fingerprint":"KEY","subject":"x"}"#),
    (
        "key paperkey KEY --output-format text",
        "key paperkey",
        r#"{"fingerprint":"KEY","output-format":"text"}"#,
    ),
    ("key remove KEY --digest DIGEST", "key remove", r#"{"fingerprint":"KEY","digest":"DIGEST"}"#),
    ("key restore", "key restore", "{}"),
    ("key restore --drive lto", "key restore", r#"{"drive":"lto"}"#),
    ("key restore --key {}", "key restore", r#"{"key":"{}"}"#),
    ("key restore --key-file /a/key", "key restore", r#"{"key-file":"/a/key"}"#),
    (
        "backup-job create job2 --drive lto --pool daily --store s1x --comment x --schedule daily --eject-media \
         --export-media-set --latest-only --notify-user a@pbs --notification-mode legacy-sendmail --group-filter \
         type:vm --group-filter group:ct/1 --ns a --max-depth 7",
        "backup-job create",
        r#"{"id":"job2","drive":"lto","pool":"daily","store":"s1x","comment":"x","schedule":"daily","eject-media":true,
            "export-media-set":true,"latest-only":true,"notify-user":"a@pbs","notification-mode":"legacy-sendmail",
            "group-filter":["type:vm","group:ct/1"],"ns":"a","max-depth":7}"#,
    ),
    (
        "backup-job update job2 --drive lto --pool daily --store s1x --comment= --schedule daily --eject-media false \
         --export-media-set=no --latest-only 0 --notify-user a@pbs --notification-mode notification-system \
         --group-filter type:vm --ns a --max-depth 7 --digest DIGEST",
        "backup-job update",
        r#"{"id":"job2","drive":"lto","pool":"daily","store":"s1x","comment":"","schedule":"daily","eject-media":false,
            "export-media-set":false,"latest-only":false,"notify-user":"a@pbs",
            "notification-mode":"notification-system","group-filter":["type:vm"],"ns":"a","max-depth":7,
            "digest":"DIGEST"}"#,
    ),
    (
        "backup-job update job2 --delete comment --delete schedule --delete eject-media --delete export-media-set \
         --delete latest-only --delete notify-user --delete notification-mode --delete group-filter --delete max-depth \
         --delete ns",
        "backup-job update",
        r#"{"id":"job2","delete":["comment","schedule","eject-media","export-media-set","latest-only","notify-user",
            "notification-mode","group-filter","max-depth","ns"]}"#,
    ),
    (
        "backup-job remove job2 --digest DIGEST",
        "backup-job remove",
        r#"{"id":"job2","digest":"DIGEST"}"#,
    ),
    ("backup-job list", "backup-job list", "{}"),
    ("backup-job show job2", "backup-job show", r#"{"id":"job2"}"#),
    ("backup-job run job2", "backup-job run", r#"{"id":"job2"}"#),
];

const PMT: &[Row] = &[
    ("asf 0 --drive lto", "mt asf", r#"{"count":0,"drive":"lto"}"#),
    ("asf 2147483647 --device /dev/sg1", "mt asf", r#"{"count":2147483647,"device":"/dev/sg1"}"#),
    ("bsf 1", "mt bsf", r#"{"count":1}"#),
    ("bsfm 1", "mt bsfm", r#"{"count":1}"#),
    ("bsr 1", "mt bsr", r#"{"count":1}"#),
    ("fsr 1", "mt fsr", r#"{"count":1}"#),
    ("fsf 1", "mt fsf", r#"{"count":1}"#),
    ("fsfm 1", "mt fsfm", r#"{"count":1}"#),
    ("eod", "mt eod", "{}"),
    ("rewind --drive lto", "mt rewind", r#"{"drive":"lto"}"#),
    ("load", "mt load", "{}"),
    ("eject", "mt eject", "{}"),
    ("erase --fast true", "mt erase", r#"{"fast":true}"#),
    ("format --fast false", "mt format", r#"{"fast":false}"#),
    ("lock", "mt lock", "{}"),
    ("unlock", "mt unlock", "{}"),
    ("weof", "mt weof", "{}"),
    ("weof 2", "mt weof", r#"{"count":2}"#),
    (
        "options --compression --blocksize 8388608 --buffer_mode --defaults",
        "mt options",
        r#"{"compression":true,"blocksize":8388608,"buffer-mode":true,"defaults":true}"#,
    ),
    ("scan", "mt scan", "{}"),
    ("status --device /dev/sg1", "mt status", r#"{"device":"/dev/sg1"}"#),
    ("tape-alert-flags", "mt tape-alert-flags", "{}"),
    ("volume-statistics", "mt volume-statistics", "{}"),
    ("cartridge-memory", "mt cartridge-memory", "{}"),
    ("setblk 512", "mt setblk", r#"{"size":512}"#),
    (
        "stoptions sili nowait --device /dev/nst0",
        "mt stoptions",
        r#"{"options":["sili","nowait"],"device":"/dev/nst0"}"#,
    ),
    ("stsetoptions sili", "mt stsetoptions", r#"{"options":["sili"]}"#),
    ("stclearoptions two-fm", "mt stclearoptions", r#"{"options":["two-fm"]}"#),
];

const PMTX: &[Row] = &[
    ("inquiry --changer sl3", "mtx inquiry", r#"{"changer":"sl3"}"#),
    ("inventory --device /dev/sg1", "mtx inventory", r#"{"device":"/dev/sg1"}"#),
    ("load 4", "mtx load", r#"{"slot":4}"#),
    ("load 4 --drivenum 1", "mtx load", r#"{"slot":4,"drivenum":1}"#),
    ("unload --drivenum 1 --slot 4", "mtx unload", r#"{"drivenum":1,"slot":4}"#),
    ("scan", "mtx scan", "{}"),
    ("status", "mtx status", "{}"),
    ("transfer 1 2", "mtx transfer", r#"{"from":1,"to":2}"#),
];

const MANAGER: &[Row] = &[
    ("remote list", "remote list", "{}"),
    ("remote show pbs2", "remote show", r#"{"name":"pbs2"}"#),
    (
        "remote create pbs2 --host pbs2.example --userid sync@pam --comment x --fingerprint KEY --port 8007",
        "remote create",
        r#"{"name":"pbs2","host":"pbs2.example","auth-id":"sync@pam","comment":"x","fingerprint":"KEY","port":8007}"#,
    ),
    (
        "remote update pbs2 --auth-id sync@pam --host ::1 --comment= --fingerprint KEY --port 1 --delete comment \
         --delete fingerprint --delete port --digest DIGEST",
        "remote update",
        r#"{"name":"pbs2","auth-id":"sync@pam","host":"::1","comment":"","fingerprint":"KEY","port":1,
            "delete":["comment","fingerprint","port"],"digest":"DIGEST"}"#,
    ),
    ("remote remove pbs2 --digest DIGEST", "remote remove", r#"{"name":"pbs2","digest":"DIGEST"}"#),
    ("sync-job list", "sync-job list", "{}"),
    ("sync-job show job", "sync-job show", r#"{"id":"job"}"#),
    (
        "sync-job create job --store s1x --remote-store s2x --remote pbs2 --ns a --remote-ns b --owner a@pbs --comment x \
         --schedule daily --remove-vanished --max-depth 7 --group-filter type:ct --group-filter group:vm/1 --rate-in \
         20MiB --burst-in 21MiB --rate-out 22MiB --burst-out 23MiB --transfer-last 3",
        "sync-job create",
        r#"{"id":"job","store":"s1x","remote-store":"s2x","remote":"pbs2","ns":"a","remote-ns":"b","owner":"a@pbs",
            "comment":"x","schedule":"daily","remove-vanished":true,"max-depth":7,
            "group-filter":["type:ct","group:vm/1"],"rate-in":"20MiB","burst-in":"21MiB","rate-out":"22MiB",
            "burst-out":"23MiB","transfer-last":3}"#,
    ),
    (
        "sync-job update job --store s1x --remote-store s2x --remote pbs2 --ns a --remote-ns b --owner a@pbs --comment x \
         --schedule daily --remove-vanished=1 --max-depth 7 --group-filter type:ct --rate-in 20MiB --burst-in 21MiB \
         --rate-out 22MiB --burst-out 23MiB --transfer-last 3 --digest DIGEST",
        "sync-job update",
        r#"{"id":"job","store":"s1x","remote-store":"s2x","remote":"pbs2","ns":"a","remote-ns":"b","owner":"a@pbs",
            "comment":"x","schedule":"daily","remove-vanished":true,"max-depth":7,"group-filter":["type:ct"],
            "rate-in":"20MiB","burst-in":"21MiB","rate-out":"22MiB","burst-out":"23MiB","transfer-last":3,
            "digest":"DIGEST"}"#,
    ),
    (
        "sync-job update job --delete remote --delete owner --delete comment --delete schedule --delete remove-vanished \
         --delete group-filter --delete rate-in --delete burst-in --delete rate-out --delete burst-out --delete ns \
         --delete remote-ns --delete max-depth --delete transfer-last",
        "sync-job update",
        r#"{"id":"job","delete":["remote","owner","comment","schedule","remove-vanished","group-filter","rate-in",
            "burst-in","rate-out","burst-out","ns","remote-ns","max-depth","transfer-last"]}"#,
    ),
    ("sync-job run job", "sync-job run", r#"{"id":"job"}"#),
    ("sync-job remove job --digest DIGEST", "sync-job remove", r#"{"id":"job","digest":"DIGEST"}"#),
    (
        "pull pbs2 s2x s1x --ns a --remote-ns b --remove-vanished --max-depth 0 --group-filter type:ct --rate-in 20MiB \
         --burst-in 21MiB --rate-out 22MiB --burst-out 23MiB --transfer-last 3",
        "pull",
        r#"{"remote":"pbs2","remote-store":"s2x","store":"s1x","ns":"a","remote-ns":"b","remove-vanished":true,
            "max-depth":0,"group-filter":["type:ct"],"rate-in":"20MiB","burst-in":"21MiB","rate-out":"22MiB",
            "burst-out":"23MiB","transfer-last":3}"#,
    ),
    ("datastore list", "datastore list", "{}"),
    ("datastore show s1x", "datastore show", r#"{"name":"s1x"}"#),
    (
        "datastore create s1x /srv/s1 --comment x --reuse-datastore --gc-schedule daily --maintenance-mode offline --notification-mode notification-system --notify gc=never --notify-user root@pam --tuning sync-level=file --verify-new",
        "datastore create",
        r#"{"name":"s1x","path":"/srv/s1","comment":"x","reuse-datastore":true,"gc-schedule":"daily","maintenance-mode":"offline","notification-mode":"notification-system","notify":"gc=never","notify-user":"root@pam","tuning":"sync-level=file","verify-new":true}"#,
    ),
    (
        "datastore update s1x --comment x --maintenance-mode read-only --delete comment --digest DIGEST",
        "datastore update",
        r#"{"name":"s1x","comment":"x","maintenance-mode":"read-only","delete":["comment"],"digest":"DIGEST"}"#,
    ),
    (
        "datastore remove s1x --digest DIGEST",
        "datastore remove",
        r#"{"name":"s1x","digest":"DIGEST"}"#,
    ),
    ("user list", "user list", "{}"),
    (
        "user create a@pam --comment x --email a@b.example --enable false --expire 0 --firstname Fa --lastname La",
        "user create",
        r#"{"userid":"a@pam","comment":"x","email":"a@b.example","enable":false,"expire":0,"firstname":"Fa",
            "lastname":"La"}"#,
    ),
    (
        "user update a@pam --comment x --email a@b.example --enable 1 --expire 9 --firstname Fa --lastname La --delete \
         comment --delete firstname --delete lastname --delete email --digest DIGEST",
        "user update",
        r#"{"userid":"a@pam","comment":"x","email":"a@b.example","enable":true,"expire":9,"firstname":"Fa",
            "lastname":"La","delete":["comment","firstname","lastname","email"],"digest":"DIGEST"}"#,
    ),
    ("user remove a@pbs --digest DIGEST", "user remove", r#"{"userid":"a@pbs","digest":"DIGEST"}"#),
    ("user list-tokens a@pbs", "user list-tokens", r#"{"userid":"a@pbs"}"#),
    (
        "user generate-token a@pbs tok --comment x --enable true --expire 9 --digest DIGEST",
        "user generate-token",
        r#"{"userid":"a@pbs","token-name":"tok","comment":"x","enable":true,"expire":9,"digest":"DIGEST"}"#,
    ),
    (
        "user delete-token a@pbs tok --digest DIGEST",
        "user delete-token",
        r#"{"userid":"a@pbs","token-name":"tok","digest":"DIGEST"}"#,
    ),
    (
        "user permissions a@pbs!tok --path /tape",
        "user permissions",
        r#"{"auth-id":"a@pbs!tok","path":"/tape"}"#,
    ),
    ("acl list", "acl list", "{}"),
    (
        "acl update /tape Audit --auth-id a@pbs --propagate false --delete --digest DIGEST",
        "acl update",
        r#"{"path":"/tape","role":"Audit","auth-id":"a@pbs","propagate":false,"delete":true,"digest":"DIGEST"}"#,
    ),
    ("task list --limit 1000 --all", "task list", r#"{"limit":1000,"all":true}"#),
    ("task log TASK", "task log", r#"{"upid":"TASK"}"#),
    ("task stop TASK", "task stop", r#"{"upid":"TASK"}"#),
    ("cert info", "cert info", "{}"),
    ("cert update --force", "cert update", r#"{"force":true}"#),
];

const PROGRAMS: [(&str, &[Row]); 4] =
    [("proxmox-tape", TAPE), ("proxmox-backup-manager", MANAGER), ("pmt", PMT), ("pmtx", PMTX)];

/// Writes out what would be long in each row.
fn written_out(text: &str) -> String {
    text.replace("KEY", KEY).replace("DIGEST", DIGEST).replace("TASK", TASK)
}

/// What the program makes of the words, checked as far as it goes without a terminal and a daemon.
fn read(program: &str, words: &[String]) -> Invocation {
    let program = Program::called(program);
    let dropped = without_drive_of_pool(program, words);
    let read = parse_arguments(program, dropped.as_deref().unwrap_or(words));
    read.unwrap_or_else(|error| panic!("{} {words:?}: {error}", program.name))
}

/// The same command with all parameters as options of one word each.
fn as_options(program: &str, dashes: &str, read: &Invocation) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let option = |(name, value): (&String, &Value)| -> Vec<String> {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        values.iter().map(|value| format!("{dashes}{name}={}", text(value))).collect()
    };
    let path = Program::called(program).path_of(read.info).unwrap();
    let options = read.params.iter().flat_map(option);
    path.iter().map(ToString::to_string).chain(options).collect()
}

#[test]
fn every_line_of_the_programs_is_taken_in_each_form() {
    for (program, rows) in PROGRAMS {
        for (line, command, params) in rows {
            let line: Vec<String> = line.split_whitespace().map(written_out).collect();
            let made = read(program, &line);
            let expected: Value = serde_json::from_str(&written_out(params)).unwrap();
            assert_eq!(made.info.name(), *command, "{program} {line:?}");
            assert_eq!(Value::Object(made.params.clone()), expected, "{program} {line:?}");
            made.command().unwrap_or_else(|error| panic!("{program} {line:?}: {error}"));
            for dashes in ["--", "-"] {
                let again = read(program, &as_options(program, dashes, &made));
                assert_eq!(Value::Object(again.params), expected, "{program} {line:?}, as options");
            }
        }
    }
}

#[test]
fn no_command_of_the_programs_is_forgotten() {
    for (program, rows) in PROGRAMS {
        for (path, info) in Program::called(program).commands() {
            let is_told = rows.iter().any(|(_, command, _)| *command == info.name());
            assert!(is_told, "{program} {}", path.join(" "));
        }
    }
}

#[test]
fn tasks_and_questions_take_an_output_format() {
    for line in [
        "backup",
        "barcode-label",
        "cartridge-memory",
        "catalog",
        "clean",
        "eject",
        "format",
        "inventory",
        "label",
        "load-media",
        "read-label",
        "restore",
        "rewind",
        "status",
        "unload",
        "volume-statistics",
        "changer scan",
        "changer list",
        "changer config",
        "changer status",
        "drive scan",
        "drive list",
        "drive config",
        "pool list",
        "pool config",
        "media list",
        "media content",
        "key list",
        "key show",
        "backup-job list",
        "backup-job show",
        "backup-job run",
    ] {
        let line: Vec<&str> = line.split(' ').chain(["--output-format", "json-pretty"]).collect();
        assert_eq!(read("proxmox-tape", &words(&line)).format, Some(OutputFormat::JsonPretty));
    }
}

#[test]
fn usage_errors_show_how_the_program_is_called() {
    let report = |program: &str, line: &[&str]| {
        let program = Program::called(program);
        let environment = Environment { program, ..environment() };
        prepare(&words(line), &environment).unwrap_err().report(program)
    };
    let text = report("proxmox-tape", &["load-media"]);
    assert!(text.contains("\nUsage: proxmox-tape load-media <label-text> [OPTIONS]\n"), "{text}");
    let text = report("proxmox-tape", &["status", "--nosuch"]);
    assert!(text.contains("\nUsage: proxmox-tape status "), "{text}");
    let text = report("pmtx", &["transfer", "1"]);
    assert!(text.contains("\nUsage: pmtx transfer <from> <to> [OPTIONS]\n"), "{text}");
    let text = report("pmt", &["nosuch"]);
    assert!(
        text.starts_with("Error: no such command 'nosuch'\nUsage:\n\n pmt asf <count> [OPTIONS]\n"),
        "{text}"
    );
    let text = report("proxmox-backup-manager", &["remote"]);
    let first =
        "Error: no command specified.\nUsage:\n\n proxmox-backup-manager remote create <name>";
    assert!(text.starts_with(first), "{text}");
}

#[test]
fn the_environment_names_drives_and_devices_for_the_programs() {
    let params = |program: &str, line: &[&str]| {
        let (tape, changer) = (Some("/dev/nst3".into()), Some("/dev/sch0".into()));
        let program = Program::called(program);
        let drive = |name: &str| Some(String::from(name)).filter(|name| !name.is_empty());
        let made = |name: &str| {
            let (tape, changer) = (tape.clone(), changer.clone());
            let environment =
                Environment { program, drive: drive(name), tape, changer, ..environment() };
            Value::Object(prepare(&words(line), &environment).unwrap().params)
        };
        (made("lto1"), made(""))
    };
    let by_drive = json!({"drive": "lto1"});
    assert_eq!(params("proxmox-tape", &["rewind"]), (by_drive.clone(), json!({})));
    assert_eq!(params("proxmox-tape", &["changer", "status"]), (by_drive.clone(), json!({})));
    let moved = json!({"from": 1, "to": 2});
    let on_drive = json!({"from": 1, "to": 2, "drive": "lto1"});
    assert_eq!(
        params("proxmox-tape", &["changer", "transfer", "--from", "1", "--to", "2"]),
        (on_drive, moved)
    );
    assert_eq!(params("pmt", &["rewind"]), (by_drive.clone(), json!({"device": "/dev/nst3"})));
    assert_eq!(params("pmtx", &["status"]), (by_drive, json!({"device": "/dev/sch0"})));
}
