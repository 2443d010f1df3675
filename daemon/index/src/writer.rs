//! Writing runs in bounded memory.
//!
//! [`RunWriter`] sorts what fits into its memory and puts it aside as a nameless run; at the end all
//! of these are merged into the one that gets a name. Nameless files vanish with the process, so a
//! crash leaves nothing but, at worst, one temporary file for [`remove_leftovers`].

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::format::Layout;
use crate::record::{Key, Record};
use crate::run::{self, Run};

/// Memory a writer sorts in unless told otherwise, in bytes.
const MEMORY_BYTES: usize = 32 << 20;
/// Runs put aside before they are merged into one: bounds open files, and is reached only beyond
/// 4 GiB of records.
const SPILLS_MAX: usize = 128;
/// Write buffer, in bytes: large enough that neither system calls nor checksumming show.
const BUFFER_BYTES: usize = 256 << 10;
const TEMPORARY_PREFIX: &str = ".run-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Takes records in any order and makes a [`Run`] of them.
#[derive(Debug)]
pub struct RunWriter<const N: usize> {
    folder: PathBuf,
    buffer: Vec<Record<N>>,
    buffer_records_max: usize,
    spills: Vec<Run<N>>,
}

impl<const N: usize> RunWriter<N> {
    /// A writer that keeps what doesn't fit into 32 MiB of memory in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::with_memory(folder, MEMORY_BYTES)
    }

    /// The same with another bound on its memory.
    pub fn with_memory(folder: &Path, memory_bytes: usize) -> Self {
        let buffer_records_max = (memory_bytes / size_of::<Record<N>>()).max(1);
        Self {
            folder: folder.to_owned(),
            buffer: Vec::new(),
            buffer_records_max,
            spills: Vec::new(),
        }
    }

    /// Adds a record.
    pub fn push(&mut self, key: Key, value: [u8; N]) -> Result<(), Error> {
        self.buffer.push(Record { key, value });
        if self.buffer.len() >= self.buffer_records_max { self.spill() } else { Ok(()) }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.spills.is_empty()
    }

    /// Writes all records as the run `path`, replacing what was there; it is durable on return.
    pub fn finish(mut self, path: &Path) -> Result<Run<N>, Error> {
        if self.spills.is_empty() {
            let (count, records) = sorted(&mut self.buffer);
            return write_named(path, count, records);
        }
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        run::merge(&self.spills, path)
    }

    fn spill(&mut self) -> Result<(), Error> {
        let (count, records) = sorted(&mut self.buffer);
        let run = write_nameless(&self.folder, count, records)?;
        self.buffer.clear();
        self.spills.push(run);
        if self.spills.len() >= SPILLS_MAX {
            self.spills = vec![merge_nameless(&self.folder, &self.spills)?];
        }
        Ok(())
    }
}

/// Sorts in place; the count and the records.
fn sorted<const N: usize>(
    records: &mut [Record<N>],
) -> (u64, impl Iterator<Item = Result<Record<N>, Error>> + '_) {
    records.sort_unstable();
    (records.len() as u64, records.iter().copied().map(Ok))
}

/// Writes sorted records (at most `count_max`) to a new file that takes the name `path` when whole.
pub(crate) fn write_named<const N: usize>(
    path: &Path,
    count_max: u64,
    records: impl Iterator<Item = Result<Record<N>, Error>>,
) -> Result<Run<N>, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .suffix(TEMPORARY_SUFFIX)
        .tempfile_in(folder)
        .map_err(Error::io("create an index in", folder))?;
    write_records(temporary.as_file_mut(), path, count_max, records)?;
    temporary.as_file().sync_all().map_err(Error::io("flush index", path))?;
    let file =
        temporary.persist(path).map_err(|error| Error::io("rename index", path)(error.error))?;
    let sync = File::open(folder).and_then(|folder| folder.sync_all());
    sync.map_err(Error::io("flush folder", folder))?;
    Run::from_file(&file, path)
}

/// Writes sorted records to a file in `folder` that has no name and ends with the [`Run`].
pub(crate) fn write_nameless<const N: usize>(
    folder: &Path,
    count_max: u64,
    records: impl Iterator<Item = Result<Record<N>, Error>>,
) -> Result<Run<N>, Error> {
    let created = tempfile::tempfile_in(folder);
    let mut file = created.map_err(Error::io("create a temporary index in", folder))?;
    write_records(&mut file, folder, count_max, records)?;
    Run::from_file(&file, folder)
}

pub(crate) fn merge_nameless<const N: usize>(
    folder: &Path,
    runs: &[Run<N>],
) -> Result<Run<N>, Error> {
    write_nameless(folder, run::total(runs), run::merged(runs))
}

fn write_records<const N: usize>(
    file: &mut File,
    path: &Path,
    count_max: u64,
    records: impl Iterator<Item = Result<Record<N>, Error>>,
) -> Result<(), Error> {
    let failed = || Error::io("write index", path);
    let fanout_bits = Layout::fanout_bits_for(count_max);
    let mut records_of_prefix = vec![0_u64; 1 << fanout_bits];
    file.seek(SeekFrom::Start(Layout::records_offset(fanout_bits) as u64)).map_err(failed())?;
    let mut output = BufWriter::with_capacity(
        BUFFER_BYTES,
        Hashing { inner: &mut *file, hasher: Default::default() },
    );
    let mut last = None;
    for record in records {
        let record = record?;
        if last == Some(record) {
            continue;
        }
        last = Some(record);
        records_of_prefix[record.key.prefix(fanout_bits)] += 1;
        output.write_all(&record.key.0).map_err(failed())?;
        output.write_all(&record.value).map_err(failed())?;
    }
    let hashing = output.into_inner().map_err(|error| failed()(error.into_error()))?;
    let records_crc = hashing.hasher.finalize();
    let records = usize::try_from(records_of_prefix.iter().sum::<u64>()).unwrap_or(usize::MAX);
    let layout = Layout { records, fanout_bits, records_crc };
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    file.write_all(&layout.to_bytes::<N>(&records_of_prefix)).map_err(failed())
}

/// Passes bytes on and keeps their checksum; sits below the buffer, so it sees large pieces.
struct Hashing<W> {
    inner: W,
    hasher: crc32fast::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Deletes temporary files that a killed writer left in `folder`. Only for a start, before anything
/// writes there.
pub fn remove_leftovers(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::io("list folder", folder))? {
        let entry = entry.map_err(Error::io("list folder", folder))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX) {
            fs::remove_file(entry.path()).map_err(Error::io("delete", &entry.path()))?;
        }
    }
    Ok(())
}
