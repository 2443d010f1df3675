//! A program that keeps what the daemon tells of (docs/notifications.md).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::Home;

/// From now on events are kept in the home.
pub fn keep_events(home: &Home) {
    let hook = home.join("hook");
    let kept = home.join("events");
    fs::write(&hook, format!("#!/bin/sh\ncat >> {}\n", kept.display()))
        .expect("the hook is written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("the hook can run");
    let settings = format!(
        "notifications: settings\n\thook {}\n\tnotification-mode notification-system\n",
        hook.display()
    );
    fs::write(home.join("etc/reelfs.cfg"), settings).expect("the settings are written");
}

/// The events that were told, as soon as `enough` of them are there.
pub fn events(home: &Home, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let text = fs::read_to_string(home.join("events")).unwrap_or_default();
        let whole = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        if let Some(events) = whole.ok().filter(|events| enough(events)) {
            return events;
        }
        std::thread::yield_now();
    }
}
