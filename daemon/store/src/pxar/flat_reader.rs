//! Reading a flat archive.

use std::io::{self, Read};

use super::goodbye::{self, GOODBYE_ITEM_LEN};
use super::{
    ENTRY, ENTRY_LEN, FILENAME, FileStat, GOODBYE, ITEM_HEADER_LEN, NAME_LEN_MAX, PAYLOAD,
    check_name,
};
use crate::error::{FormatError, FormatResult};

/// Bytes thrown away at a time.
const SKIP_LEN: u64 = 128 * 1024;

/// A file in an archive; its content follows in the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatFile {
    /// Its name: one component, no `/`.
    pub name: String,
    /// Its `stat`.
    pub stat: FileStat,
    /// How many bytes it has.
    pub size: u64,
}

/// Reads an archive of one folder of regular files from its beginning.
///
/// Anything else in it, a folder above all, is an error; so is an archive that goes on behind its end.
#[derive(Debug)]
pub struct FlatReader<R> {
    input: R,
    position: u64,
    files: usize,
    /// Bytes of the present file that were not read.
    left: u64,
    ended: bool,
}

impl<R: Read> FlatReader<R> {
    /// Reads the root, which must be a folder.
    pub fn new(input: R) -> FormatResult<Self> {
        let mut reader = Self { input, position: 0, files: 0, left: 0, ended: false };
        let (kind, full_len) = reader.header()?;
        if kind != ENTRY || !reader.entry(full_len)?.is_folder() {
            return Err(FormatError::corrupt("the archive does not begin with a folder"));
        }
        Ok(reader)
    }

    /// The next file; none after the last. What was left unread of the one before is skipped.
    pub fn next_file(&mut self) -> FormatResult<Option<FlatFile>> {
        if self.ended {
            return Ok(None);
        }
        self.skip_rest()?;
        match self.header()? {
            (FILENAME, full_len) => self.file(full_len).map(Some),
            (GOODBYE, full_len) => {
                self.end(full_len)?;
                Ok(None)
            }
            (kind, _) => Err(wrong_type(kind, "wrong entry type / parent")),
        }
    }

    /// The content of the file that [`next_file`](Self::next_file) told of, from where it was read to.
    pub fn content(&mut self) -> FlatContent<'_, R> {
        FlatContent(self)
    }

    fn file(&mut self, name_len: u64) -> FormatResult<FlatFile> {
        let name = self.name(name_len)?;
        let within = |what: &str| format!("{what} for '{}'", name.escape_debug());
        let (kind, full_len) = self.header()?;
        if kind != ENTRY {
            return Err(wrong_type(kind, &within("no entry")));
        }
        let stat = self.entry(full_len)?;
        if !stat.is_regular() {
            let what = within("wrong entry type / parent (not a regular file)");
            return Err(FormatError::corrupt(what));
        }
        let (kind, full_len) = self.header()?;
        if kind != PAYLOAD {
            return Err(wrong_type(kind, &within("no content")));
        }
        self.left = full_len - ITEM_HEADER_LEN;
        self.files += 1;
        Ok(FlatFile { name, stat, size: self.left })
    }

    fn name(&mut self, full_len: u64) -> FormatResult<String> {
        let len = usize::try_from(full_len - ITEM_HEADER_LEN).unwrap_or(usize::MAX);
        if !(2..=NAME_LEN_MAX + 1).contains(&len) {
            return Err(FormatError::corrupt(format!("a file name of {len} bytes")));
        }
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        if bytes.pop() != Some(0) {
            return Err(FormatError::corrupt("a file name does not end in NUL"));
        }
        let name = String::from_utf8(bytes)
            .map_err(|error| FormatError::corrupt_by("a file name is not UTF-8", error))?;
        check_name(&name)?;
        Ok(name)
    }

    fn entry(&mut self, full_len: u64) -> FormatResult<FileStat> {
        if full_len != ENTRY_LEN {
            return Err(FormatError::corrupt(format!("an entry of {full_len} bytes")));
        }
        let mut bytes = [0; 40];
        self.fill(&mut bytes)?;
        FileStat::from_bytes(&bytes)
    }

    /// Checks the table's length and last item; the rest only serves readers that start at the end.
    fn end(&mut self, full_len: u64) -> FormatResult<()> {
        let position = self.position - ITEM_HEADER_LEN;
        if full_len != goodbye::table_len(self.files) {
            let what = format!("a table of {full_len} bytes for {} files", self.files);
            return Err(FormatError::corrupt(what));
        }
        self.left = full_len - ITEM_HEADER_LEN - GOODBYE_ITEM_LEN;
        self.skip_rest()?;
        let mut tail = [0; 24];
        self.fill(&mut tail)?;
        if !goodbye::is_tail(&tail, position, self.files) {
            return Err(FormatError::corrupt("the table of files does not end as it must"));
        }
        if self.read(&mut [0])? > 0 {
            return Err(FormatError::corrupt("the archive goes on behind its end"));
        }
        self.ended = true;
        Ok(())
    }

    fn header(&mut self) -> FormatResult<(u64, u64)> {
        let (mut kind, mut full_len) = ([0; 8], [0; 8]);
        self.fill(&mut kind)?;
        self.fill(&mut full_len)?;
        let full_len = u64::from_le_bytes(full_len);
        if full_len < ITEM_HEADER_LEN {
            return Err(FormatError::corrupt(format!("an item of {full_len} bytes")));
        }
        Ok((u64::from_le_bytes(kind), full_len))
    }

    fn skip_rest(&mut self) -> FormatResult<()> {
        let mut buffer = vec![0; usize::try_from(self.left.min(SKIP_LEN)).unwrap_or(0)];
        while self.left > 0 {
            self.content().read(&mut buffer).map_err(FormatError::io("cannot read the archive"))?;
        }
        Ok(())
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> FormatResult<()> {
        while !bytes.is_empty() {
            match self.read(bytes)? {
                0 => return Err(FormatError::corrupt("the archive ends in its middle")),
                got => bytes = bytes.split_at_mut(got).1,
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> FormatResult<usize> {
        let got = read_some(&mut self.input, bytes)
            .map_err(FormatError::io("cannot read the archive"))?;
        self.position = self.position.saturating_add(got as u64);
        Ok(got)
    }
}

/// The content of one file. An archive that ends before the content does is an error, not an end.
#[derive(Debug)]
pub struct FlatContent<'a, R>(&'a mut FlatReader<R>);

impl<R: Read> Read for FlatContent<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = &mut *self.0;
        let want = usize::try_from(reader.left).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let got = read_some(&mut reader.input, &mut buffer[..want])?;
        if got == 0 {
            let what = format!("the archive ends {} bytes before its file does", reader.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        reader.left -= got as u64;
        reader.position = reader.position.saturating_add(got as u64);
        Ok(got)
    }
}

fn read_some(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn wrong_type(kind: u64, what: &str) -> FormatError {
    FormatError::corrupt(format!("{what} (item type {kind:#018x})"))
}
