//! What was learned of how long drives take and how media are laid out, for the estimates of plans.
//!
//! Small files beside the other local state, one for each drive and each medium; all are hints, and a broken one is
//! as good as none. The read queues learn: a medium's layout when it is loaded, a drive's times as it goes.

use std::path::{Path, PathBuf};

use reel_hw::scsi::density::Density;
use reel_hw::{BlockNumber, TapeDrive};
use reel_types::{DriveName, LabelText, MediaId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::timing::{Costs, MediumKind, Ratios};
use crate::{Result, StateDir, json};

/// How a medium is laid out, as a drive told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Layout {
    /// Density code, where the drive tells one that is known here.
    density: Option<u8>,
    /// Whether the drive makes orders of access: of LTO-9 those of full height do, which are faster.
    makes_orders: bool,
    /// Last objects of its wraps; empty where the drive does not tell.
    wrap_ends: Vec<u64>,
}

impl Layout {
    /// Asks a drive for that of the medium in it; none of a drive that tells nothing of it.
    ///
    /// # Errors
    /// Those of the drive.
    pub fn ask(drive: &mut dyn TapeDrive) -> reel_hw::Result<Option<Self>> {
        let density = drive.density()?.map(Density::code);
        let makes_orders = drive.access_order(&[])?.is_some();
        let ends = drive.wrap_ends()?.unwrap_or_default();
        let wrap_ends = ends.iter().map(|end| end.0).collect();
        let tells_something = density.is_some() || makes_orders;
        Ok(tells_something.then_some(Self { density, makes_orders, wrap_ends }))
    }

    #[cfg(test)]
    pub(crate) fn of_density(density: Density, wrap_ends: &[u64]) -> Self {
        let density = Some(density.code());
        Self { density, makes_orders: false, wrap_ends: wrap_ends.to_vec() }
    }

    /// Whether the drive that told it makes orders of access.
    pub fn makes_orders(&self) -> bool {
        self.makes_orders
    }

    /// Whether it is known where wraps end: without, nothing is known of how the places of a certain medium lie to
    /// each other, for wraps differ by some percent, and that adds up.
    pub fn has_wrap_ends(&self) -> bool {
        !self.wrap_ends.is_empty()
    }

    /// Whether archives on it can be read in another order than by their numbers: the drive recommends one, or it can be
    /// reckoned by the ends of the wraps.
    pub fn can_be_ordered(&self) -> bool {
        self.makes_orders || (self.has_wrap_ends() && self.kind().is_some())
    }

    fn kind(&self) -> Option<MediumKind> {
        MediumKind::of(Density::from_code(self.density?).ok()?, self.makes_orders)
    }

    /// What it costs in a drive of these times; none of a medium that there are no figures of.
    pub fn costs(&self, ratios: Ratios) -> Option<Costs> {
        let ends: Vec<_> = self.wrap_ends.iter().copied().map(BlockNumber).collect();
        Some(Costs::new(self.kind()?, Some(&ends), ratios))
    }
}

/// What was learned of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveRecord {
    /// What it takes of the time that the formulas say.
    pub ratios: Ratios,
    /// Not known before a medium was in it.
    habits: Option<Habits>,
}

/// What a drive does with media of the kind that it had last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Habits {
    makes_orders: bool,
    can_be_ordered: bool,
}

impl DriveRecord {
    /// The drive has told how a medium is laid out.
    pub fn notice(&mut self, layout: &Layout) {
        let (makes_orders, can_be_ordered) = (layout.makes_orders, layout.can_be_ordered());
        self.habits = Some(Habits { makes_orders, can_be_ordered });
    }

    fn makes_orders(&self) -> bool {
        self.habits.is_some_and(|habits| habits.makes_orders)
    }

    /// Whether it will read media of a kind in the order that costs least. From LTO-7 on most drives allow that.
    fn orders(&self, kind: MediumKind) -> bool {
        let is_usual = !matches!(kind, MediumKind::Lto5 | MediumKind::Lto6);
        self.habits.map_or(is_usual, |habits| habits.can_be_ordered)
    }
}

/// What reading from a medium is reckoned by.
#[derive(Debug, Clone, PartialEq)]
pub struct Reckoning {
    /// What each motion costs.
    pub costs: Costs,
    /// Whether archives are read in the order that costs least, else by their numbers.
    pub in_best_order: bool,
}

/// All that was learned.
#[derive(Debug)]
pub struct DriveTimes {
    folder: StateDir,
}

impl DriveTimes {
    /// Keeps it in `folder`, which is made.
    pub fn open(folder: &Path) -> Result<Self> {
        Ok(Self { folder: StateDir::open(folder)? })
    }

    /// What was learned of a drive.
    pub fn of_drive(&self, drive: &DriveName) -> DriveRecord {
        self.read(&self.drive_path(drive)).unwrap_or_default()
    }

    /// Keeps what was learned of a drive.
    pub fn keep_drive(&self, drive: &DriveName, record: &DriveRecord) -> Result<()> {
        self.keep(&self.drive_path(drive), record)
    }

    /// How a medium is laid out, if a drive has told.
    pub fn layout(&self, medium: MediaId) -> Option<Layout> {
        self.read(&self.medium_path(medium))
    }

    /// Keeps how a medium is laid out.
    pub fn keep_layout(&self, medium: MediaId, layout: &Layout) -> Result<()> {
        if self.layout(medium).as_ref() == Some(layout) {
            return Ok(());
        }
        self.keep(&self.medium_path(medium), layout)
    }

    /// Forgets a medium that was given up.
    pub fn forget(&self, medium: MediaId) -> Result<()> {
        self.folder.remove(&self.medium_path(medium))
    }

    /// By what reading from a medium is reckoned: its layout, or what its bar code says of it; none of a medium of
    /// which neither says anything.
    pub fn reckoning(
        &self,
        drive: Option<&DriveName>,
        medium: MediaId,
        label: &LabelText,
    ) -> Option<Reckoning> {
        let record = drive.map(|drive| self.of_drive(drive)).unwrap_or_default();
        if let Some(layout) = self.layout(medium) {
            let in_best_order = layout.can_be_ordered();
            return Some(Reckoning { costs: layout.costs(record.ratios)?, in_best_order });
        }
        let kind = MediumKind::of_bar_code(label.as_str(), record.makes_orders())?;
        let costs = Costs::new(kind, None, record.ratios);
        Some(Reckoning { costs, in_best_order: record.orders(kind) })
    }

    fn drive_path(&self, drive: &DriveName) -> PathBuf {
        self.folder.path().join(format!("drive-{drive}.json"))
    }

    fn medium_path(&self, medium: MediaId) -> PathBuf {
        self.folder.path().join(format!("medium-{medium}.json"))
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let bytes = self.folder.read_if_there(path).ok()??;
        let parsed = json::parse(&bytes, "what was learned of times");
        parsed
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "passed over"))
            .ok()
    }

    fn keep<T: Serialize>(&self, path: &Path, value: &T) -> Result<()> {
        self.folder.replace(path, &json::to_pretty(value, "what was learned of times")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn layout() -> Layout {
        let wrap_ends = vec![220_000, 440_000, 441_000];
        Layout { density: Some(0x5E), makes_orders: false, wrap_ends }
    }

    #[test]
    fn what_was_learned_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (drive, medium) = ("drive0".parse().unwrap(), MediaId(Uuid::from_u128(1)));
        let times = DriveTimes::open(folder.path()).unwrap();
        let ratios = Ratios { locate: 1.1, read: 0.9, load: 1.2 };
        let mut record = DriveRecord { ratios, ..DriveRecord::default() };
        record.notice(&layout());
        times.keep_drive(&drive, &record).unwrap();
        times.keep_layout(medium, &layout()).unwrap();
        let times = DriveTimes::open(folder.path()).unwrap();
        assert_eq!((times.of_drive(&drive), times.layout(medium)), (record, Some(layout())));
        std::fs::write(times.drive_path(&drive), "{").unwrap();
        let broken = times.of_drive(&drive);
        assert_eq!(broken, DriveRecord::default(), "a broken file is as good as none");
    }

    #[test]
    fn a_medium_is_reckoned_by_its_layout_or_else_by_its_bar_code() {
        let folder = tempfile::tempdir().unwrap();
        let times = DriveTimes::open(folder.path()).unwrap();
        let medium = MediaId(Uuid::from_u128(1));
        let of = |label: &str| times.reckoning(None, medium, &label.parse().unwrap());
        assert_eq!(of("vtape1"), None);
        let by_bar_code = of("A00001L9").unwrap();
        assert!(by_bar_code.in_best_order && !of("A00001L6").unwrap().in_best_order);
        times.keep_layout(medium, &layout()).unwrap();
        let told = of("A00001L9").unwrap();
        assert!(told.in_best_order && told.costs != by_bar_code.costs);
        assert_eq!(of("vtape1").unwrap(), told);
    }

    #[test]
    fn media_never_seen_are_reckoned_as_the_drive_did_with_others() {
        let folder = tempfile::tempdir().unwrap();
        let times = DriveTimes::open(folder.path()).unwrap();
        let (medium, label) = (MediaId(Uuid::from_u128(1)), "A00001L9".parse().unwrap());
        let drives = ["full", "half", "mute"].map(|name| name.parse().unwrap());
        let habits = [(true, true), (false, true), (false, false)];
        for (drive, (makes_orders, tells_wraps)) in drives.iter().zip(habits) {
            let wrap_ends = if tells_wraps { vec![7] } else { Vec::new() };
            let mut record = DriveRecord::default();
            record.notice(&Layout { density: Some(0x60), makes_orders, wrap_ends });
            times.keep_drive(drive, &record).unwrap();
        }
        let of = |drive| times.reckoning(Some(drive), medium, &label).unwrap();
        let [full, half, mute] = drives.each_ref().map(of);
        assert!(full.costs.load_s() > half.costs.load_s(), "17 s and 16 s");
        assert_eq!(half.costs, mute.costs);
        assert_eq!([full, half, mute].map(|one| one.in_best_order), [true, true, false]);
    }
}
