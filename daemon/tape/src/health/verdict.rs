//! What records say of a medium, a drive or a cleaning cartridge, in sentences that an operator can act on. Pure.

use std::collections::BTreeSet;

use reel_hw::{TapeAlerts, VolumeTag};

use super::alerts::{Meaning, Subject, meaning};
use super::cleaning::Cleaner;
use super::record::{HealthRecord, Transfers, VolumeCounters};
use super::thresholds as limit;

/// How something does; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verdict {
    /// Nothing is wrong with it.
    #[default]
    Good,
    /// It is to be watched.
    Warn,
    /// A drive is to be cleaned.
    Clean,
    /// It is to be replaced, or repaired.
    Replace,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Clean => "clean",
            Self::Replace => "replace",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// What kind of thing: it stays the same while the numbers in the text grow.
    kind: &'static str,
    verdict: Verdict,
    text: String,
}

/// How something does, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    subject: String,
    findings: Vec<Finding>,
}

impl Health {
    fn new(subject: String) -> Self {
        Self { subject, findings: Vec::new() }
    }

    /// The worst that was found.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or_default()
    }

    /// What was found and what to do about it, the worst first.
    pub fn advice(&self) -> Vec<String> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        findings.into_iter().map(|finding| finding.text.clone()).collect()
    }

    /// What was not found before, or was not as bad; each sentence names whom it is about.
    pub fn worse_than(&self, before: &Self) -> Vec<String> {
        let is_worse = |finding: &&Finding| {
            let mut same = before.findings.iter().filter(|one| one.kind == finding.kind);
            same.all(|one| one.verdict < finding.verdict)
        };
        let worse = self.findings.iter().filter(is_worse);
        worse.map(|finding| format!("{}: {}", self.subject, finding.text)).collect()
    }

    fn add(&mut self, kind: &'static str, verdict: Verdict, text: impl Into<String>) {
        self.findings.push(Finding { kind, verdict, text: text.into() });
    }
}

/// How a medium does, by all that is kept of it, oldest first.
pub fn of_medium(records: &[HealthRecord]) -> Health {
    let Some(last) = records.last() else { return Health::default() };
    let name = last.label_text.as_ref().map_or_else(String::new, ToString::to_string);
    let mut health = Health::new(format!("media '{name}'"));
    if let Some(volume) = records.iter().rev().find_map(|record| record.volume.as_ref()) {
        add_wear(&mut health, volume);
        add_unrecovered(&mut health, volume);
        add_recovered(&mut health, volume);
    }
    let replace = "copy what is on it to other media and replace it";
    let watch = "see that there is another copy of what is on it";
    for meaning in meanings(records, Subject::Medium) {
        let to_do = if meaning.verdict == Verdict::Replace { replace } else { watch };
        health.add(name_of(meaning), meaning.verdict, alert_text(meaning, to_do));
    }
    let trouble = Trouble::of(records, |record| Some(record.drive.to_string()));
    if let Some(Trouble { alerts, witnesses }) = trouble {
        let told = format!("tape alerts {alerts}, told by {}", listed(&witnesses));
        if witnesses.len() >= limit::WITNESSES {
            let text = format!("{told}: it is the medium and not one drive; {replace}");
            health.add("trouble", Verdict::Replace, text);
        } else {
            let text = format!("{told}: read it in another drive; if that fails too, {replace}");
            health.add("trouble", Verdict::Warn, text);
        }
    }
    health
}

fn add_wear(health: &mut Health, volume: &VolumeCounters) {
    let share = |used: Option<u64>, life: u64| used.unwrap_or(0).saturating_mul(100) / life;
    let passes = share(volume.passes, limit::PASSES_OF_A_LIFE);
    let mounts = share(volume.mounts, limit::MOUNTS_OF_A_LIFE);
    for (kind, percent, what) in
        [("passes", passes, "passes over the head"), ("mounts", mounts, "mounts")]
    {
        let used = format!("it has used {percent} % of the {what} that it is made for");
        match percent {
            100.. => health.add(
                kind,
                Verdict::Replace,
                format!("{used}: copy what is on it to other media and replace it"),
            ),
            limit::WORN_PERCENT.. => {
                health.add(kind, Verdict::Warn, format!("{used}: have another ready"));
            }
            _ => {}
        }
    }
}

fn add_unrecovered(health: &mut Health, volume: &VolumeCounters) {
    let writing = volume.unrecovered_write_errors.unwrap_or(0);
    let reading = volume.unrecovered_read_errors.unwrap_or(0);
    let count = writing.saturating_add(reading);
    if count == 0 {
        return;
    }
    let told = format!(
        "errors in its life that nothing corrected: {writing} on writing, {reading} on reading"
    );
    let (verdict, to_do) = if count >= limit::UNRECOVERED_ERRORS_MAX {
        (Verdict::Replace, "copy what is on it to other media and replace it")
    } else {
        (Verdict::Warn, "see that all of it can be read, by a restore or 'catalog --scan'")
    };
    health.add("unrecovered errors", verdict, format!("{told}: {to_do}"));
}

fn add_recovered(health: &mut Health, volume: &VolumeCounters) {
    let directions = [
        ("written", volume.recovered_write_errors, volume.datasets_written),
        ("read", volume.recovered_read_errors, volume.datasets_read),
    ];
    for (kind, errors, datasets) in directions {
        let (errors, datasets) = (errors.unwrap_or(0), datasets.unwrap_or(0));
        let percent = errors.saturating_mul(100) / datasets.max(1);
        if datasets >= limit::DATASETS_MIN && percent >= limit::RECOVERED_PERCENT {
            let text = format!(
                "{percent} % of what was {kind} in its life was {kind} again: clean the drives that use it; \
                 if others do well in them, replace the medium"
            );
            health.add(kind, Verdict::Warn, text);
        }
    }
}

/// How a drive does at the time `now` (seconds since 1970), by all that is kept of it, oldest first.
pub fn of_drive(records: &[HealthRecord], now: i64) -> Health {
    let Some(last) = records.last() else { return Health::default() };
    let mut health = Health::new(format!("drive '{}'", last.drive));
    let is_recent = |record: &&HealthRecord| {
        record.drive_serial == last.drive_serial
            && now.saturating_sub(record.time) <= limit::DRIVE_REMEMBERS_S
    };
    let recent: Vec<_> = records.iter().filter(is_recent).cloned().collect();
    if let Some(wish) = last.cleaning {
        let when = match wish {
            super::CleaningWish::Now => "now",
            super::CleaningWish::Soon => "when there is time",
        };
        let text = format!(
            "it asks to be cleaned {when}: 'clean --drive {}' does it, or a cleaning cartridge put in by hand",
            last.drive
        );
        health.add("cleaning", Verdict::Clean, text);
    }
    for meaning in meanings(&recent, Subject::Drive) {
        let to_do = if meaning.verdict == Verdict::Replace {
            "use it no more before it is repaired"
        } else {
            "look after it, and have it serviced if it goes on"
        };
        health.add(name_of(meaning), meaning.verdict, alert_text(meaning, to_do));
    }
    add_drive_trouble(&mut health, &recent, last);
    add_corrected(&mut health, last);
    health
}

/// Failures since the last cleaning.
fn add_drive_trouble(health: &mut Health, recent: &[HealthRecord], last: &HealthRecord) {
    let since_cleaning =
        recent.iter().filter(|record| record.drive_cleanings == last.drive_cleanings);
    let since_cleaning: Vec<_> = since_cleaning.cloned().collect();
    let medium = |record: &HealthRecord| {
        let label = record.label_text.as_ref().map(ToString::to_string);
        label.or_else(|| record.medium_serial.clone())
    };
    let Some(Trouble { alerts, witnesses }) = Trouble::of(&since_cleaning, medium) else { return };
    if witnesses.len() >= limit::WITNESSES {
        let text = format!(
            "tape alerts {alerts} with media {}: it is the drive and not one medium; clean it, and have it \
             serviced if it goes on",
            listed(&witnesses)
        );
        health.add("trouble", Verdict::Clean, text);
    } else if let Some(medium) = witnesses.first() {
        let text =
            format!("tape alerts {alerts} with media {medium}: see whether others do well in it");
        health.add("trouble", Verdict::Warn, text);
    }
}

fn add_corrected(health: &mut Health, last: &HealthRecord) {
    for (kind, transfers) in [("writing", last.write), ("reading", last.read)] {
        let Transfers { corrected, bytes, .. } = transfers;
        let gigabytes = bytes.unwrap_or(0) / 1_000_000_000;
        let per_gigabyte = corrected.unwrap_or(0) / gigabytes.max(1);
        if gigabytes >= limit::GIGABYTES_MIN && per_gigabyte >= limit::CORRECTED_PER_GB {
            let text = format!(
                "it corrected {per_gigabyte} errors for each GB on {kind}: clean it; if others do well with the \
                 same media, have it serviced"
            );
            health.add(kind, Verdict::Warn, text);
        }
    }
}

/// How a cleaning cartridge does.
pub fn of_cleaner(tag: &VolumeTag, cleaner: &Cleaner) -> Health {
    let mut health = Health::new(format!("cleaning cartridge '{tag}'"));
    match cleaner.uses_left() {
        0 => {
            let text = "it is used up and is not taken any more: put another into the library";
            health.add("uses", Verdict::Replace, text);
        }
        left @ 1..=limit::CLEANINGS_LEFT_FEW => {
            let text = format!("it cleans {left} times more: have another ready");
            health.add("uses", Verdict::Warn, text);
        }
        _ => {}
    }
    health
}

/// What may be a medium's fault or a drive's.
struct Trouble {
    alerts: String,
    /// With whom it was met, sorted.
    witnesses: Vec<String>,
}

impl Trouble {
    fn of(
        records: &[HealthRecord],
        witness: impl Fn(&HealthRecord) -> Option<String>,
    ) -> Option<Self> {
        let is_trouble =
            |flag: &u8| meaning(*flag).is_some_and(|one| one.subject == Subject::Either);
        let mut flags = BTreeSet::new();
        let mut witnesses = BTreeSet::new();
        for record in records {
            let met: Vec<_> = record.alerts.iter().copied().filter(is_trouble).collect();
            if let (false, Some(witness)) = (met.is_empty(), witness(record)) {
                flags.extend(met);
                witnesses.insert(witness);
            }
        }
        let flags: Vec<u8> = flags.into_iter().collect();
        let alerts = TapeAlerts::from_flags(&flags).names().collect::<Vec<_>>().join(", ");
        (!flags.is_empty()).then(|| Self { alerts, witnesses: witnesses.into_iter().collect() })
    }
}

/// The meanings of the alerts in the records that are about `subject`, by number.
fn meanings(
    records: &[HealthRecord],
    subject: Subject,
) -> impl Iterator<Item = &'static Meaning> + use<> {
    let flags: BTreeSet<u8> = records.iter().flat_map(|record| record.alerts.clone()).collect();
    flags.into_iter().filter_map(meaning).filter(move |meaning| meaning.subject == subject)
}

fn name_of(meaning: &Meaning) -> &'static str {
    TapeAlerts::name(meaning.flag).unwrap_or("an alert")
}

fn alert_text(meaning: &Meaning, to_do: &str) -> String {
    format!("tape alert {} ({}): {to_do}", name_of(meaning), meaning.says)
}

fn listed(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests;
