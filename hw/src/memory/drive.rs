//! A drive of a library in memory.

use super::failure::Operation;
use super::library::{DriveState, MemoryLibrary, State};
use super::medium::MemoryMedium;
use crate::drive::{
    DriveCounters, EncryptionKey, HostAttribute, Position, ReadOutcome, SpaceOutcome, TapeAlerts,
    TapeDrive, VolumeStatistics, WriteOutcome,
};
use crate::error::{Error, Result};
use crate::layout::{Layout, ObjectKind, Place};
use crate::number::{BlockNumber, Capacity, DriveNumber, FileNumber};

/// A handle of a drive of a [`MemoryLibrary`]. The medium stays loaded, at its place, when it is dropped.
#[derive(Debug)]
pub struct MemoryDrive {
    library: MemoryLibrary,
    number: DriveNumber,
    counters: DriveCounters,
}

impl MemoryDrive {
    pub(super) fn new(library: MemoryLibrary, number: DriveNumber) -> Self {
        Self { library, number, counters: DriveCounters::default() }
    }

    /// Counts a call of `operation` and runs it on the drive and the medium that is ready in it.
    fn on_medium<T>(
        &self,
        operation: Operation,
        what: &'static str,
        run: impl FnOnce(&mut DriveState, &mut MemoryMedium) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.library.lock();
        let State { drives, media, failures, .. } = &mut *state;
        failures.call(operation)?;
        let drive = drives.get_mut(self.number.0 as usize);
        let drive = drive.ok_or(Error::NoSuchDrive(self.number))?;
        let tag = drive.medium.as_ref().filter(|_| drive.ready);
        let medium = tag.and_then(|tag| media.get_mut(tag));
        run(drive, medium.ok_or(Error::NoMedium { what })?)
    }

    /// The same for operations that change what is recorded.
    fn on_writable_medium<T>(
        &self,
        operation: Operation,
        what: &'static str,
        run: impl FnOnce(&mut DriveState, &mut MemoryMedium) -> Result<T>,
    ) -> Result<T> {
        self.on_medium(operation, what, |drive, medium| {
            if medium.write_protected {
                return Err(Error::WriteProtected { what });
            }
            run(drive, medium)
        })
    }

    fn space(
        &mut self,
        operation: Operation,
        what: &'static str,
        go: impl FnOnce(&Layout, Place) -> (Place, SpaceOutcome),
    ) -> Result<SpaceOutcome> {
        self.counters.spaces += 1;
        self.on_medium(operation, what, |drive, medium| {
            let (place, outcome) = go(medium.layout(), drive.place);
            drive.place = place;
            Ok(outcome)
        })
    }

    fn go_to(
        &mut self,
        operation: Operation,
        what: &'static str,
        target: impl FnOnce(&Layout) -> Option<Place>,
        name: String,
    ) -> Result<()> {
        self.on_medium(operation, what, |drive, medium| {
            let place = target(medium.layout());
            drive.place = place.ok_or(Error::UnexpectedEndOfData { what: name })?;
            Ok(())
        })
    }

    /// Flushes, and remembers for good when that failed.
    fn flush(&self) -> Result<()> {
        let result = self.on_medium(Operation::Sync, "sync", |drive, medium| {
            if drive.flush_failed {
                return Err(Error::Corrupt {
                    what: "the medium".into(),
                    reason: "an earlier flush failed; load it again and see what it holds".into(),
                });
            }
            medium.flush();
            Ok(())
        });
        if result.is_err()
            && let Ok(drive) = self.library.lock().drive(self.number)
        {
            drive.flush_failed = true;
        }
        result
    }
}

impl TapeDrive for MemoryDrive {
    fn write_block(&mut self, data: &[u8]) -> Result<WriteOutcome> {
        let outcome =
            self.on_writable_medium(Operation::WriteBlock, "write block", |drive, medium| {
                let outcome = medium.write_block(drive.place, data, drive.key.clone())?;
                drive.place = medium.layout().end();
                Ok(outcome)
            })?;
        self.counters.blocks_written += 1;
        self.counters.bytes_written += data.len() as u64;
        Ok(outcome)
    }

    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome> {
        let outcome = self.on_medium(Operation::ReadBlock, "read block", |drive, medium| {
            match medium.layout().kind_at(drive.place) {
                ObjectKind::EndOfData => return Ok(ReadOutcome::EndOfData),
                ObjectKind::Filemark => {
                    drive.place = drive.place.next_file();
                    return Ok(ReadOutcome::Filemark);
                }
                ObjectKind::Block => {}
            }
            let place = drive.place;
            drive.place = place.next_block();
            let Some((data, key)) = medium.block_at(place) else {
                return Ok(ReadOutcome::EndOfData);
            };
            if key.is_some() && key != drive.key.as_ref() {
                return Err(Error::WrongKey);
            }
            let expected = buffer.len();
            let target = buffer.get_mut(..data.len()).ok_or(Error::WrongBlockSize {
                what: "read block",
                expected,
                found: data.len(),
            })?;
            target.copy_from_slice(&data);
            Ok(ReadOutcome::Block(data.len()))
        })?;
        if let ReadOutcome::Block(length) = outcome {
            self.counters.blocks_read += 1;
            self.counters.bytes_read += length as u64;
        }
        Ok(outcome)
    }

    fn write_filemarks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome> {
        let outcome = self.on_writable_medium(
            Operation::WriteFilemarks,
            "write filemark",
            |drive, medium| {
                let mut outcome = WriteOutcome::Ok;
                for _ in 0..count {
                    outcome = medium.write_filemark(drive.place);
                    drive.place = medium.layout().end();
                }
                Ok(outcome)
            },
        )?;
        self.counters.filemarks_written += u64::from(count);
        if !immediate {
            self.sync()?;
        }
        Ok(outcome)
    }

    fn sync(&mut self) -> Result<()> {
        self.counters.syncs += 1;
        self.flush()
    }

    fn rewind(&mut self) -> Result<()> {
        self.counters.rewinds += 1;
        self.on_medium(Operation::Rewind, "rewind", |drive, _| {
            drive.place = Place::BEGINNING;
            Ok(())
        })
    }

    fn space_filemarks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.space(Operation::SpaceFilemarks, "space over filemarks", |layout, from| {
            layout.space_filemarks(from, count)
        })
    }

    fn space_blocks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.space(Operation::SpaceBlocks, "space over blocks", |layout, from| {
            layout.space_blocks(from, count)
        })
    }

    fn space_to_end_of_data(&mut self) -> Result<()> {
        self.space(Operation::SpaceToEndOfData, "space to end of data", |layout, _| {
            (layout.end(), SpaceOutcome::Done)
        })
        .map(|_| ())
    }

    fn locate(&mut self, object: BlockNumber) -> Result<()> {
        self.counters.locates += 1;
        self.go_to(
            Operation::Locate,
            "locate",
            |layout| layout.place_of(object),
            format!("locate object {object}"),
        )
    }

    fn locate_file(&mut self, file: FileNumber) -> Result<()> {
        self.counters.locates += 1;
        self.go_to(
            Operation::LocateFile,
            "locate file",
            |layout| layout.place_of_file(file),
            format!("locate file {file}"),
        )
    }

    fn position(&mut self) -> Result<Position> {
        self.on_medium(Operation::Position, "read position", |drive, medium| {
            Ok(medium.layout().position(drive.place))
        })
    }

    fn load(&mut self) -> Result<()> {
        let mut state = self.library.lock();
        state.failures.call(Operation::Load)?;
        let drive = state.drive(self.number)?;
        if drive.medium.is_none() {
            return Err(Error::NoMedium { what: "load" });
        }
        drive.ready = true;
        drive.flush_failed = false;
        drive.place = Place::BEGINNING;
        self.counters.loads += 1;
        Ok(())
    }

    fn unload(&mut self) -> Result<()> {
        self.library.lock().failures.call(Operation::Unload)?;
        if !self.medium_loaded()? {
            return Ok(());
        }
        let flushed = self.flush();
        let mut state = self.library.lock();
        let drive = state.drive(self.number)?;
        drive.ready = false;
        drive.key = None;
        drop(state);
        self.counters.unloads += 1;
        flushed
    }

    fn medium_loaded(&mut self) -> Result<bool> {
        Ok(self.library.lock().drive(self.number)?.ready)
    }

    fn format_medium(&mut self, _fast: bool) -> Result<()> {
        self.on_writable_medium(Operation::FormatMedium, "format medium", |drive, medium| {
            medium.cut(Place::BEGINNING);
            medium.attributes.clear();
            medium.flush();
            drive.place = Place::BEGINNING;
            Ok(())
        })
    }

    fn erase(&mut self) -> Result<()> {
        self.on_writable_medium(Operation::Erase, "erase", |drive, medium| {
            medium.cut(drive.place);
            medium.flush();
            Ok(())
        })
    }

    fn write_protected(&mut self) -> Result<bool> {
        self.on_medium(Operation::Statistics, "read write protection", |_, medium| {
            Ok(medium.write_protected)
        })
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        self.on_medium(Operation::Statistics, "read statistics", |_, medium| {
            let end = medium.limits.end;
            Ok(VolumeStatistics {
                total_native_capacity: (end != Capacity(u64::MAX)).then_some(end),
                total_used_native_capacity: Some(medium.bytes()),
                write_protect: medium.write_protected,
                ..VolumeStatistics::default()
            })
        })
    }

    fn counters(&self) -> DriveCounters {
        self.counters
    }

    fn can_encrypt(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn set_encryption_key(&mut self, key: Option<&EncryptionKey>) -> Result<()> {
        let mut state = self.library.lock();
        state.failures.call(Operation::SetEncryptionKey)?;
        state.drive(self.number)?.key = key.cloned();
        Ok(())
    }

    fn encryption_active(&mut self) -> Result<bool> {
        Ok(self.library.lock().drive(self.number)?.key.is_some())
    }

    fn write_attributes(&mut self, attributes: &[(HostAttribute, Option<&str>)]) -> Result<()> {
        self.on_medium(Operation::WriteAttributes, "write attributes", |_, medium| {
            for (attribute, value) in attributes {
                match value {
                    Some(value) => medium.attributes.insert(*attribute, (*value).to_owned()),
                    None => medium.attributes.remove(attribute),
                };
            }
            Ok(())
        })
    }

    fn tape_alerts(&mut self) -> Result<TapeAlerts> {
        let mut state = self.library.lock();
        state.failures.call(Operation::TapeAlerts)?;
        Ok(state.drive(self.number)?.alerts)
    }
}

impl Drop for MemoryDrive {
    fn drop(&mut self) {
        if let Ok(drive) = self.library.lock().drive(self.number) {
            drive.open = false;
            drive.key = None;
        }
    }
}
