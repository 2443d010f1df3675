//! What reaches people, and what doesn't come twice.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reel_types::ManualClock;

use super::*;

const NOW: i64 = 1_795_444_382;

struct Rig {
    base: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Rig {
    /// Programs that keep what they read, and settings that name them.
    fn new(settings: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("etc")).unwrap();
        let rig = Self { base, clock: Arc::new(ManualClock::at(NOW)) };
        rig.program("sendmail", "cat > BASE/mail.$$; echo >> BASE/mails; echo $* > BASE/arguments");
        rig.program("hook", "(echo $1; cat) >> BASE/events");
        rig.settings(&format!("\tsendmail BASE/sendmail\n\thook BASE/hook\n{settings}"));
        rig.user("\temail ops@example.com\n");
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn here(&self, text: &str) -> String {
        text.replace("BASE", &self.base.path().display().to_string())
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{}\n", self.here(script))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn settings(&self, keys: &str) {
        let text = format!("notifications: settings\n{}", self.here(keys));
        fs::write(self.path("etc/reelfs.cfg"), text).unwrap();
    }

    fn user(&self, keys: &str) {
        fs::write(self.path("etc/user.cfg"), format!("user: root@pam\n{keys}")).unwrap();
    }

    /// Sends by itself, without the thread.
    fn office(&self) -> Office {
        Office {
            spool: Spool::open(self.path("spool")).unwrap(),
            config: ConfigDir::new(self.path("etc")),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            host: Host::called("pbs1.example.com"),
            sending: Mutex::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    fn mails(&self) -> usize {
        fs::read_to_string(self.path("mails")).map_or(0, |text| text.lines().count())
    }

    fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("events")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How the names of files in the spool end.
    fn endings(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("spool")).unwrap();
        let ending = |path: &Path| path.extension().unwrap().to_str().unwrap().to_owned();
        let mut endings: Vec<_> = files.map(|file| ending(&file.unwrap().path())).collect();
        endings.sort();
        endings
    }
}

fn mailed() -> Recipient {
    Recipient::chosen(None, None)
}

fn hooked() -> Recipient {
    Recipient::chosen(Some(NotificationMode::NotificationSystem), None)
}

fn request(reason: &str) -> LoadRequest<'_> {
    LoadRequest {
        device_type: "changer",
        device: "sl3",
        label_text: "A00001L8",
        reason,
        asker: "drive0/job1",
    }
}

impl Office {
    fn tell(&self, reason: &str, to: &Recipient) {
        let notice = request(reason).notice(&self.host, to, self.clock.now());
        self.spool.add(notice).unwrap();
        self.send_all();
    }
}

#[test]
fn a_request_is_mailed_once_until_it_is_settled() {
    let rig = Rig::new("\tfrom tapes@example.com\n");
    let office = rig.office();
    office.tell("offline", &mailed());
    office.tell("offline", &mailed());
    assert_eq!(rig.mails(), 1);
    let mail = fs::read_dir(rig.base.path()).unwrap().find_map(|file| {
        let path = file.unwrap().path();
        path.to_str().unwrap().contains("/mail.").then(|| fs::read_to_string(path).unwrap())
    });
    let mail = mail.unwrap();
    for line in [
        "From: tapes@example.com",
        "To: ops@example.com",
        "Subject: Load Media 'A00001L8' request for changer 'sl3'",
        "Date: Mon, 23 Nov 2026",
    ] {
        assert!(mail.contains(line), "{line}: {mail}");
    }
    assert_eq!(fs::read_to_string(rig.path("arguments")).unwrap(), "-i -t\n");
    office.tell("another reason", &mailed());
    assert_eq!(rig.mails(), 2);
    // A daemon that was killed while it waited asks for the same again.
    let office = rig.office();
    office.tell("offline", &mailed());
    assert_eq!(rig.mails(), 2);
    office.spool.settle(&request("").thread()).unwrap();
    office.tell("offline", &mailed());
    assert_eq!(rig.mails(), 3);
    rig.clock.advance(DAY_S);
    office.tell("offline", &mailed());
    assert_eq!(rig.mails(), 4, "after a day it is news");
}

#[test]
fn a_kill_while_something_is_sent_sends_it_no_second_time() {
    let rig = Rig::new("");
    let office = rig.office();
    let notice = request("offline").notice(&office.host, &mailed(), NOW);
    assert!(office.spool.add(notice.clone()).unwrap());
    let letter = office.spool.due(NOW).unwrap().remove(0);
    assert!(office.spool.begin(&letter).unwrap());
    drop(office);
    let office = rig.office();
    assert!(!office.spool.add(notice).unwrap());
    office.send_all();
    assert_eq!((rig.mails(), rig.endings()), (0, vec!["sent".to_owned()]));
}

#[test]
fn what_is_settled_while_it_is_sent_is_neither_repeated_nor_in_the_way_of_the_next() {
    let rig = Rig::new("");
    let office = rig.office();
    let notice = request("offline").notice(&office.host, &mailed(), NOW);
    let settled_meanwhile = || {
        assert!(office.spool.add(notice.clone()).unwrap(), "the last one is in the way");
        let letter = office.spool.due(NOW).unwrap().remove(0);
        assert!(office.spool.begin(&letter).unwrap());
        office.spool.settle(&request("").thread()).unwrap();
        letter
    };
    office.spool.end(&settled_meanwhile()).unwrap();
    assert_eq!(rig.endings(), [""; 0]);
    office.spool.put_back(&settled_meanwhile()).unwrap();
    assert_eq!(rig.endings(), [""; 0]);

    let letter = settled_meanwhile();
    assert!(office.spool.add(notice.clone()).unwrap(), "asked for again, before the first is out");
    office.spool.put_back(&letter).unwrap();
    assert_eq!(rig.endings(), ["json"]);
    office.send_all();
    assert_eq!((rig.mails(), rig.endings()), (1, vec!["sent".to_owned()]));

    office.spool.settle(&request("").thread()).unwrap();
    settled_meanwhile();
    let office = rig.office();
    assert!(office.spool.add(notice.clone()).unwrap(), "after a kill it is news, too");
}

#[test]
fn what_was_kept_is_sent_by_the_next_daemon() {
    let rig = Rig::new("");
    let office = rig.office();
    office.spool.add(request("offline").notice(&office.host, &mailed(), NOW)).unwrap();
    drop(office);
    let config = ConfigDir::new(rig.path("etc"));
    let clock = Arc::clone(&rig.clock) as Arc<dyn Clock>;
    let notifications = Notifications::open(rig.path("spool"), config, clock).unwrap();
    while rig.mails() == 0 {
        std::thread::yield_now();
    }
    notifications.close();
    notifications.tell(request("too late").notice(notifications.host(), &mailed(), NOW));
    drop(notifications);
    assert_eq!(rig.endings(), ["json", "sent"], "the next daemon sends it");
}

#[test]
fn a_mail_that_could_not_be_sent_is_tried_again_and_given_up_after_a_day() {
    let rig = Rig::new("");
    rig.program("sendmail", "exit 1");
    let office = rig.office();
    office.tell("offline", &mailed());
    assert_eq!(rig.endings(), ["json"]);
    office.send_all();
    let tries = || office.spool.due(i64::MAX - DAY_S - 1).unwrap()[0].tries;
    assert_eq!(tries(), 1, "not before a minute");
    rig.clock.advance(FIRST_PAUSE_S);
    office.send_all();
    assert_eq!(tries(), 2);
    rig.clock.advance(DAY_S);
    office.send_all();
    assert_eq!(rig.endings(), [""; 0], "it is given up, and forgotten");
    office.tell("offline", &mailed());
    rig.program("sendmail", "echo >> BASE/mails");
    rig.clock.advance(FIRST_PAUSE_S);
    office.send_all();
    assert_eq!(rig.mails(), 1);
}

#[test]
fn a_mail_that_may_be_on_its_way_is_not_sent_again() {
    let rig = Rig::new("");
    rig.program("sendmail", "echo >> BASE/mails; kill -9 $$");
    let office = rig.office();
    office.tell("offline", &mailed());
    assert_eq!(rig.endings(), ["sent"]);
    rig.clock.advance(FIRST_PAUSE_S);
    office.send_all();
    assert_eq!(rig.mails(), 1);
}

#[test]
fn whoever_has_no_address_gets_nothing() {
    let rig = Rig::new("");
    rig.user("\tcomment Superuser\n");
    rig.office().tell("offline", &mailed());
    assert_eq!((rig.mails(), rig.endings()), (0, vec!["sent".to_owned()]));
}

#[test]
fn a_program_gets_each_event_once_and_its_failures_stop_nothing() {
    let rig = Rig::new("\thook-timeout 1\n");
    let office = rig.office();
    office.tell("offline", &hooked());
    let events = rig.events();
    assert_eq!((events.len(), events[0].as_str()), (2, "tape-load"));
    let event: Value = serde_json::from_str(&events[1]).unwrap();
    assert_eq!(event["fields"]["hostname"], "pbs1");
    assert_eq!(
        (&event["data"]["label-text"], &event["severity"]),
        (&"A00001L8".into(), &"notice".into())
    );
    for script in ["exit 3", "sleep 1000"] {
        rig.program("hook", script);
        office.tell(script, &hooked());
    }
    assert_eq!(rig.endings(), ["sent"; 3], "it may have told somebody");
    fs::remove_file(rig.path("hook")).unwrap();
    office.tell("gone", &hooked());
    assert!(rig.endings().contains(&"json".to_owned()), "it has told nobody");
    rig.settings("");
    rig.clock.advance(FIRST_PAUSE_S);
    office.send_all();
    assert_eq!(rig.endings(), ["sent"; 4], "nobody is to be told");
}

#[test]
fn templates_of_the_operator_are_used_where_they_are_some() {
    let rig = Rig::new("");
    let folder = rig.path("etc").join(TEMPLATES);
    fs::create_dir(&folder).unwrap();
    let office = rig.office();
    let notice = request("offline").notice(&office.host, &mailed(), NOW);
    let own = |text: &str| {
        fs::write(folder.join("tape-load.txt"), text).unwrap();
        office.text_of(&notice).unwrap()
    };
    assert_eq!(own("Subject: Tape!\n\n{{label-text}}\n"), ("Tape!".into(), "A00001L8\n".into()));
    for broken in ["Subject: {{nothing}}\n", "Subject: {{#reason}}\n"] {
        assert!(own(broken).0.starts_with("Load Media"), "{broken}");
    }
}

/// Answers one conversation as a mail server does; what it was told.
fn serve_mail(stream: TcpStream, refuse: bool) -> Vec<String> {
    let mut told = Vec::new();
    let mut out = stream.try_clone().unwrap();
    let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    say("220 mail.example.com");
    let mut in_data = false;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        match line.as_str() {
            "." => {
                in_data = false;
                say("250 taken");
            }
            _ if in_data => {}
            "DATA" => {
                in_data = true;
                say("354 go on");
            }
            "QUIT" => {
                say("221 bye");
                return told;
            }
            line if line.starts_with("EHLO") => say("250-mail.example.com\r\n250 AUTH PLAIN"),
            line if refuse && line.starts_with("RCPT") => say("450 later"),
            line if line.starts_with("AUTH") => say("235 welcome"),
            _ => say("250 ok"),
        }
        told.push(line);
    }
    told
}

#[test]
fn a_mail_server_is_spoken_to_by_smtp_and_may_be_down() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rig = Rig::new("");
    let password = rig.path("password");
    fs::write(&password, "geheim\n").unwrap();
    rig.settings(&format!(
        "\tsmtp-server 127.0.0.1\n\tsmtp-port {port}\n\tsmtp-mode insecure\n\tsmtp-username tapes\n\tsmtp-password-file BASE/password\n"
    ));
    let office = rig.office();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    office.tell("offline", &mailed());
    assert_eq!(rig.endings(), ["json"], "a password that others can read is not used");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();

    let server = std::thread::spawn(move || {
        let mut told = Vec::new();
        for refuse in [true, false] {
            // One conversation to see that it is there, and one for the mail, or both in one.
            loop {
                let lines = serve_mail(listener.accept().unwrap().0, refuse);
                let is_mail = lines.iter().any(|line| line.starts_with("RCPT"));
                told.extend(lines);
                if is_mail {
                    break;
                }
            }
        }
        told
    });
    rig.clock.advance(FIRST_PAUSE_S);
    office.send_all();
    assert_eq!(rig.endings(), ["json"], "the server wants it later");
    rig.clock.advance(PAUSE_MAX_S);
    office.send_all();
    assert_eq!(rig.endings(), ["sent"]);
    let told = server.join().unwrap();
    assert!(told.iter().any(|line| line.contains("RCPT TO:<ops@example.com>")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("Subject: Load Media")), "{told:?}");
    office.tell("nobody listens", &mailed());
    assert_eq!(rig.endings(), ["json", "sent"]);
    let spooled = fs::read_dir(rig.path("spool")).unwrap();
    for file in spooled {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("geheim"), "{text}");
    }
}
