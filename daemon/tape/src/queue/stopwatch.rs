//! Measures what a drive takes of the time that the formulas say, for the estimates of plans.

use std::sync::Arc;
use std::time::Duration;

use reel_hw::{BlockNumber, Clock, TAPE_BLOCK_SIZE};

use crate::drive_times::{DriveRecord, Layout};
use crate::timing::{Costs, Ratios};

/// So much has to be read before its time counts: of less, starting is the most.
const READ_BYTES_MIN: u64 = 512 << 20;

/// So much has to be located before its time counts where nobody knows how the wraps of the medium lie: a single locate
/// may then take half or twice of what the formula says.
const LOCATES_S_MIN: f64 = 600.0;

/// No medium takes so many times longer to load than it should, unless the drive measures it first (LTO-9).
const LOAD_RATIO_MAX: f64 = 3.0;

/// Measures a drive.
pub(super) struct Stopwatch {
    clock: Arc<dyn Clock>,
    /// The formulas for the medium in the drive, where there are any.
    formulas: Option<Costs>,
    /// How much has to be located before it counts, s by the formula.
    locates_s_min: f64,
    before: DriveRecord,
    record: DriveRecord,
    /// What was located and read since it counted last.
    located: Sum,
    read: Sum,
    read_bytes: u64,
}

/// Times that count together.
#[derive(Default)]
struct Sum {
    measured_s: f64,
    formula_s: f64,
}

impl Sum {
    fn add(&mut self, measured_s: f64, formula_s: f64) {
        self.measured_s += measured_s;
        self.formula_s += formula_s;
    }

    /// Lets it count, and begins anew.
    fn count(&mut self, ratio: &mut f64) {
        Ratios::learn(ratio, self.measured_s, self.formula_s);
        *self = Self::default();
    }
}

impl Stopwatch {
    /// For a drive of which so much is known, by its clock.
    pub(super) fn new(clock: Arc<dyn Clock>, record: DriveRecord) -> Self {
        Self {
            clock,
            formulas: None,
            locates_s_min: 0.0,
            before: record,
            record,
            located: Sum::default(),
            read: Sum::default(),
            read_bytes: 0,
        }
    }

    /// When something begins.
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    fn since_s(&self, began: Duration) -> f64 {
        self.now().saturating_sub(began).as_secs_f64()
    }

    /// A medium of that layout is in the drive; the robot began to fetch it at `began`, where the drive was empty before.
    pub(super) fn loaded(&mut self, layout: Option<&Layout>, began: Option<Duration>) {
        self.formulas = layout.and_then(|layout| layout.costs(Ratios::default()));
        layout.iter().for_each(|layout| self.record.notice(layout));
        let is_told = layout.is_some_and(Layout::has_wrap_ends);
        self.locates_s_min = if is_told { 0.0 } else { LOCATES_S_MIN };
        self.located = Sum::default();
        let (Some(formulas), Some(began)) = (&self.formulas, began) else { return };
        let (measured_s, formula_s) = (self.since_s(began), formulas.load_s());
        if measured_s < LOAD_RATIO_MAX * formula_s {
            Ratios::learn(&mut self.record.ratios.load, measured_s, formula_s);
        }
    }

    /// The drive went from one object to another.
    pub(super) fn located(&mut self, from: BlockNumber, to: BlockNumber, began: Duration) {
        let Some(formulas) = &self.formulas else { return };
        self.located.add(self.since_s(began), formulas.locate_s(from, to));
        if self.located.formula_s >= self.locates_s_min {
            self.located.count(&mut self.record.ratios.locate);
        }
    }

    /// The drive read so many blocks.
    pub(super) fn read(&mut self, from: BlockNumber, blocks: u64, began: Duration) {
        let Some(formulas) = &self.formulas else { return };
        self.read_bytes += blocks * TAPE_BLOCK_SIZE as u64;
        self.read.add(self.since_s(began), formulas.read_s(from, blocks));
        if self.read_bytes >= READ_BYTES_MIN {
            self.read.count(&mut self.record.ratios.read);
            self.read_bytes = 0;
        }
    }

    /// What is known of the drive by now, if that is more than before.
    pub(super) fn learned(&self) -> Option<DriveRecord> {
        (self.record != self.before).then_some(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_hw::scsi::density::Density;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Hands(Mutex<Duration>);

    impl Clock for Hands {
        fn now(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn wait(&self, pause: Duration) {
            *self.0.lock().unwrap() += pause;
        }
    }

    #[test]
    fn ratios_are_learned_from_what_things_take() {
        let hands = Arc::new(Hands::default());
        let mut watch = Stopwatch::new(hands.clone(), DriveRecord::default());
        let layout = Layout::of_density(Density::Lto8, &[220_078, 440_157, 440_160]);
        let formulas = layout.costs(Ratios::default()).unwrap();
        let take = |s: f64| hands.wait(Duration::from_secs_f64(s));
        let (from, to) = (BlockNumber(0), BlockNumber(1_000_000));

        watch.located(from, to, watch.now());
        assert_eq!(watch.learned(), None, "of a medium that there are no formulas for");
        let began = watch.now();
        take(4.0 * formulas.load_s());
        watch.loaded(Some(&layout), Some(began));
        assert_eq!(watch.record.ratios, Ratios::default(), "a first load says nothing of others");

        let began = watch.now();
        take(1.5 * formulas.locate_s(from, to));
        watch.located(from, to, began);
        assert!((watch.record.ratios.locate - 1.1).abs() < 1e-6, "{:?}", watch.record);

        for _ in 0..2 {
            assert_eq!(watch.record.ratios.read, 1.0);
            let began = watch.now();
            take(2.0 * formulas.read_s(from, 1024));
            watch.read(from, 1024, began);
        }
        assert!((watch.record.ratios.read - 1.2).abs() < 1e-6, "{:?}", watch.record);
        assert_eq!(watch.learned(), Some(watch.record));
    }

    #[test]
    fn locates_count_together_where_nobody_knows_how_wraps_lie() {
        let hands = Arc::new(Hands::default());
        let mut watch = Stopwatch::new(hands.clone(), DriveRecord::default());
        let layout = Layout::of_density(Density::Lto8, &[]);
        watch.loaded(Some(&layout), None);
        let places = [BlockNumber(0), BlockNumber(1_000_000)];
        for share in [0.7, 1.7, 0.7, 1.7, 0.7, 1.7, 0.7, 1.7, 0.7, 1.7] {
            let began = watch.now();
            let formula_s = layout.costs(Ratios::default()).unwrap().locate_s(places[0], places[1]);
            hands.wait(Duration::from_secs_f64(share * formula_s));
            assert_eq!(watch.record.ratios.locate, 1.0);
            watch.located(places[0], places[1], began);
        }
        assert!((watch.record.ratios.locate - 1.04).abs() < 1e-6, "{:?}", watch.record);
    }
}
