//! How long a command may take: the vendors' maxima for LTO-5 to LTO-9, full height (spec scsi.md §15).

use std::time::Duration;

/// What asks and changes nothing.
pub(crate) const QUICK: Duration = Duration::from_secs(60);
/// TEST UNIT READY, INQUIRY, REQUEST SENSE, READ POSITION.
pub(crate) const IMMEDIATE: Duration = Duration::from_secs(30);
/// DT device status: it answers at once or not at all.
pub(super) const ACTIVITY: Duration = Duration::from_secs(1);
/// READ.
pub(super) const READ: Duration = Duration::from_secs(2340);
/// WRITE.
pub(crate) const WRITE: Duration = Duration::from_secs(1500);
/// WRITE FILEMARKS, also as a flush.
pub(crate) const WRITE_FILEMARKS: Duration = Duration::from_secs(1620);
/// LOCATE and SPACE.
pub(crate) const LOCATE: Duration = Duration::from_secs(2940);
/// GENERATE and RECEIVE RECOMMENDED ACCESS ORDER (spec scsi.md §19).
pub(super) const ACCESS_ORDER: Duration = Duration::from_secs(600);
/// REWIND.
pub(crate) const REWIND: Duration = Duration::from_secs(600);
/// LOAD UNLOAD.
pub(crate) const LOAD: Duration = Duration::from_secs(960);
/// FORMAT MEDIUM.
pub(super) const FORMAT: Duration = Duration::from_secs(3000);
/// ERASE: a long one of LTO-9; half-height drives take up to twice that.
pub(crate) const ERASE: Duration = Duration::from_secs(2 * 74341);
/// Everything an LTO-9 drive may do with a medium it has never seen, or after a format.
pub(super) const CALIBRATION: Duration = Duration::from_secs(7200);
